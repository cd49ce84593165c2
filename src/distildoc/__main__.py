"""`python -m distildoc`, and `torchrun --nproc_per_node 2 -m distildoc train RUN.yaml`."""

from distildoc.cli.main import main

if __name__ == "__main__":
    main()
