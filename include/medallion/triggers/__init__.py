"""What starts a run: timetables and asset watchers. Runs in the scheduler and the triggerer."""
