"""Machines as data: one JSON file each, every figure with its band, unit, grade and source.

`compiler.targets` reads the machines. `published.json` holds measurements that estimates are
checked against, never fitted to. Grades: A measured on silicon and published with its method;
B vendor figure or pre-silicon simulation; C derived by arithmetic, assumed, or second hand. A
limit with `"public": false` is a conservative choice where nothing is published. Coefficients of
energy, power and time also say under which conditions they hold; they may share a factor, or
derive from another machine's.
"""
