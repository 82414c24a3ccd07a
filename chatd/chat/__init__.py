"""The rules of the chat, pure: values in, values out, time as an argument; one file for each
concept.

Nothing here sees a task, a socket, a clock or a log. The shells that run these rules are in
`chatd.actors` and `chatd.service`.
"""
