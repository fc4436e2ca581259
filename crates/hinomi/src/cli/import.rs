//! `hinomi import`: other tools' scans as sightings, source marked.
