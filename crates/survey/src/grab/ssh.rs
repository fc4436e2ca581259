//! SSH servers: version, algorithms, host key; the exchange ends before any secret is made.
