"""The workload plane: snap config becomes files and running services."""
