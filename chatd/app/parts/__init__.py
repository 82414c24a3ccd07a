"""The parts of the daemon, in groups. Each module has one group and the function that builds it.

`chatd/app/build.py` calls these functions, in the only order in which each gets what it needs: a
group is given those that were built before it, and knows of no other.
"""
