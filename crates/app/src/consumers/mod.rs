//! The consumers of the queues, one file each.
