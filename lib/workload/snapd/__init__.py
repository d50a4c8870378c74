"""The workload plane in the snap: what runs and what is configured is snapd's, by `snapctl`."""
