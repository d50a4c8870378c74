"""A full Linux kernel on any machine: tests that need device-mapper, LIO and iSCSI."""
