"""The Lava processes of a program, one a file; `compat.load_lava` must have been called before.

They lie in a folder of their own because Lava, when it looks for the model of a process, imports
every file of the folder that the process is defined in.
"""
