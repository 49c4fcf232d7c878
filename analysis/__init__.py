"""Commands and functions that read a sweep's results and fit its laws."""
