//! Of several routers, whose is a path?

/// How strongly a router claims a request, for who has several and asks each: the greater claim
/// is the better founded.
///
/// | claims | with |
/// | --- | --- |
/// | a path under the base, or under an earlier one | the length of that prefix; of equals, the present base |
/// | a path that answers in place | less than any prefix but the root, and less than the root itself |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    pub(crate) prefix: usize,
    pub(crate) by: ClaimedBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ClaimedBy {
    InPlace,
    Previous,
    Base,
}
