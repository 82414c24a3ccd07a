"""What a configuration leads to on this machine and beyond it: `chatd config check --deep`.

`checks` is the list of all checks, each in a file by what it looks at.
"""
