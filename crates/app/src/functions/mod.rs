//! The functions of the flows, one file each.
