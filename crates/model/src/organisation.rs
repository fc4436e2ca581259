//! Who is responsible for prefixes, AS numbers and domains.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// An organisation as networks know it. How its ownership is proved, dated and expires is a matter of sharing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Name people use.
    pub name: String,
    /// Autonomous system numbers it operates.
    #[serde(default)]
    pub asns: Vec<u32>,
    /// Prefixes it answers for.
    #[serde(default)]
    pub prefixes: Vec<IpNet>,
    /// Domains it answers for.
    #[serde(default)]
    pub domains: Vec<String>,
    /// ISO 3166-1 alpha-2 country code, upper case.
    #[serde(default)]
    pub country: Option<String>,
}
