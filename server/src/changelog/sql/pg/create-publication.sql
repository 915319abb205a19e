create publication {{publication}} for table {{tables}} with (publish_via_partition_root = true)
