"""One operator per kind of task. Built at parse time, executed in the Airflow task process on the worker."""
