"""What happened: run states, history, records. Runs on the worker, the scheduler and the command line."""
