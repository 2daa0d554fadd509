"""`python -m zerosum`: the same as the command `zerosum`."""

from zerosum.cli import main

if __name__ == "__main__":
    main()
