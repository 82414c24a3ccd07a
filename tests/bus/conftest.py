from tests.redis import redis

__all__ = ["redis"]  # a fixture
