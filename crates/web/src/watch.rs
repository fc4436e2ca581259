//! How surveys tell the server how far they are. The binary provides it; the server knows no sensor.

use hinomi_model::Timestamp;
use hinomi_share::{ReadError, Reader};
use serde::Serialize;

/// One campaign as the pages show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SurveyStatus {
    /// Its name.
    pub campaign: String,
    /// How it stands.
    pub state: SurveyState,
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
    /// Attempts a second, over its last run.
    pub rate_pps: f64,
    /// When it first started.
    pub started: Timestamp,
    /// When it last told of itself.
    pub updated: Timestamp,
    /// Seconds to go at the present rate, where that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_s: Option<u64>,
    /// Whether every target is settled.
    pub finished: bool,
    /// What else the survey has to say; at most a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Attempts that failed, by reason.
    #[serde(serialize_with = "as_counts")]
    pub errors: Vec<(String, u64)>,
}

/// How a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SurveyState {
    /// It is going on, in this process or another one on the same state folder.
    Running,
    /// It was stopped, or killed, before every target was settled; the same command goes on with it.
    Stopped,
    /// Every target is settled.
    Finished,
}

impl SurveyState {
    /// The name, as in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
        }
    }
}

/// The campaigns of this installation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Surveys {
    /// How many there are.
    pub total: usize,
    /// Running ones first, then those that told of themselves last; when there are very many, the oldest are left out.
    pub surveys: Vec<SurveyStatus>,
}

impl Surveys {
    /// Whether one is going on.
    pub fn any_running(&self) -> bool {
        self.surveys.iter().any(|survey| survey.state == SurveyState::Running)
    }
}

/// Tells how surveys are doing. Called at every look at a page, where reading files is allowed.
pub trait Progress: Send + Sync {
    /// Every campaign: those of this process, and those that the lake remembers.
    ///
    /// # Errors
    /// When the lake cannot be read.
    fn surveys(&self, reader: &Reader, now: Timestamp) -> Result<Surveys, ReadError>;
}

/// There are no surveys.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSurveys;

impl Progress for NoSurveys {
    fn surveys(&self, _reader: &Reader, _now: Timestamp) -> Result<Surveys, ReadError> {
        Ok(Surveys::default())
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
