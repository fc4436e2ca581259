//! How running surveys tell the server how far they are. The binary provides it; the server knows no sensor.

use hinomi_model::Timestamp;
use serde::Serialize;

/// One campaign as the pages show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SurveyStatus {
    /// Its name.
    pub campaign: String,
    /// Name of the scope it runs under.
    pub scope_name: String,
    /// Who authorised it, as people would say it.
    pub authority: String,
    /// Who answers for it.
    pub contact: String,
    /// Address and port pairs to ask in all.
    pub targets: u64,
    /// How many of them are settled.
    pub done: u64,
    /// Services that answered.
    pub open: u64,
    /// Packets that the scope refused; none was sent.
    pub refused: u64,
    /// Attempts a second, lately.
    pub rate_pps: f64,
    /// When it started.
    pub started: Timestamp,
    /// Seconds to go at the present rate, where that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_s: Option<u64>,
    /// Whether it has come to its end.
    pub finished: bool,
    /// What else the survey has to say; at most a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Attempts that failed, by reason.
    #[serde(serialize_with = "as_counts")]
    pub errors: Vec<(String, u64)>,
}

/// Tells how surveys are doing. Called at every look at a page: must be quick and must not block.
pub trait Progress: Send + Sync {
    /// Every campaign of this process, newest first.
    fn surveys(&self) -> Vec<SurveyStatus>;
}

/// No survey runs in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSurveys;

impl Progress for NoSurveys {
    fn surveys(&self) -> Vec<SurveyStatus> {
        Vec::new()
    }
}

/// Pairs as `[{"reason": .., "count": ..}]`: reasons are free text and would make poor property names.
fn as_counts<S: serde::Serializer>(errors: &[(String, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Count<'a> {
        reason: &'a str,
        count: u64,
    }
    serializer.collect_seq(errors.iter().map(|(reason, count)| Count { reason, count: *count }))
}
