"""`python -m distildoc`, and `accelerate launch -m distildoc train RUN.yaml`."""

from distildoc.cli.main import main

if __name__ == "__main__":
    main()
