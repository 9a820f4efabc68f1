"""The records that travel between rooms. In: values from doors and files. Out: checked, frozen records."""
