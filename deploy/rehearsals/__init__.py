"""What operators will have to do one day, done now, on real servers, with tills at work.

Each is a script (`python -m deploy.rehearsals.NAME`) and a test (tests/deploy). They use the
servers of the tests, so they need the packages and programs of `make test`.
"""
