"""Statements: which message is one, and whether it may run (docs/answers); pure but for `reader`.

Is it a question? `first_look` says of every message whether it may be one. `questions` decides,
with `commands`, `blocks` (fenced code), `statements` (what the grammar makes of a text),
`likeness` (what looks like SQL where no grammar helps), `odd_characters`, `pasted` (prompts and
commands of other shells) and `unknown_commands`; `talk` is what is said of the rest.

May it run? `guard` decides under a policy (`verdicts`), rule by rule: `lexer` and `keywords` read
words, `calls` looks at functions (`functions`), at `sizes` and in Postgres at types and operators
(`catalogue`), `trees` at what `grammar` makes of it (`nodes` has the parts that may be there),
`scopes` at tables and `columns` at columns.

What is said of it? `places` tells where, `slips` and `spelling` which word was meant, `elsewhere`
what other databases have, `complaints` and `nearest` what a database's complaint means, `misplaced`
what to change there; `remarks` what a statement that runs hardly does as it was meant.

`reader` has all of that done in a child process (`reader_process`), with which it talks in
`frames`; `reading` is what comes of a message.
"""
