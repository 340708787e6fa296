module godel.invalid/compat/program

go 1.24
