//! HDHomeRun tuners: race-free UDP ports, discovery, control, and a stream whose losses are accounted for.
