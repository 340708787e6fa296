"""A record-keeping checker: clients write down all they do while the broker is killed, at random.

`python -m compat_tests.kill --seed 7 --kills 50` runs it; README.md beside this file explains.
"""
