"""A program as a Python project that runs on Lava without this package.

`run.py` and `stored.py` belong to the project that is written: like the rest of the backend that a
run needs, they are copied into it (`carried`), so that what a reader gets is what is tested here.
"""

from compiler.backends.lava.project.compose import project_files

__all__ = ["project_files"]
