"""chatd: a self-hosted real-time chat daemon that speaks Socket.IO v4."""

__version__ = "0.1.0"
