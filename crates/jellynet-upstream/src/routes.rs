//! Several upstreams under one roof: which one is meant?

/// What a route asks of a request.
///
/// | route | meant when |
/// | --- | --- |
/// | host `tv.lan` | that host, with any port |
/// | host `*.lan` | any host below `lan`, not `lan` itself |
/// | no host | any |
/// | prefix `/tv` | the path is `/tv` or below it, in any ASCII letter case |
/// | no prefix | any |
///
/// Of several that fit, the more exact host counts, then the longer prefix, then the earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteMatch {
    host: Option<Box<str>>,
    prefix: Box<str>,
}

impl RouteMatch {
    /// Any request.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Only requests for this host, or for hosts below it where it begins with `*.`.
    #[must_use]
    pub fn with_host(mut self, host: &str) -> Self {
        self.host = Some(host.trim().trim_end_matches('.').to_ascii_lowercase().into());
        self
    }

    /// Only requests whose path is `prefix` or below it; empty or `/` for all.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.trim_end_matches('/').into();
        self
    }

    /// How exactly the host fits: `None` for not at all.
    fn host_rank(&self, host: Option<&str>) -> Option<u8> {
        match (&self.host, host) {
            (None, _) => Some(0),
            (Some(_), None) => None,
            (Some(wanted), Some(host)) => match wanted.strip_prefix('*') {
                None => host.eq_ignore_ascii_case(wanted).then_some(2),
                Some(end) => is_below(host, end).then_some(1),
            },
        }
    }

    /// How exactly the path fits: `None` for not at all.
    fn path_rank(&self, path: &str) -> Option<usize> {
        let head = path.get(..self.prefix.len())?;
        let rest = path.get(self.prefix.len()..)?;
        let fits = head.eq_ignore_ascii_case(&self.prefix)
            && (rest.is_empty() || rest.starts_with('/') || self.prefix.is_empty());
        fits.then_some(self.prefix.len())
    }
}

/// Whether `host` ends with `.end` and has something before it.
fn is_below(host: &str, end: &str) -> bool {
    let cut = host.len().checked_sub(end.len()).filter(|&cut| cut > 0);
    cut.and_then(|cut| host.get(cut..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// Routes to several of something: upstreams, with what stands before them.
///
/// # Examples
///
/// ```
/// use jellynet_upstream::{RouteMatch, Routes};
///
/// let routes = Routes::new([
///     (RouteMatch::any().with_host("tv.lan"), "tv"),
///     (RouteMatch::any().with_prefix("/music"), "music"),
///     (RouteMatch::any(), "films"),
/// ]);
/// assert_eq!(routes.choose(Some("TV.lan:8096"), "/music"), Some(&"tv"));
/// assert_eq!(routes.choose(Some("other"), "/Music/x"), Some(&"music"));
/// assert_eq!(routes.choose(None, "/musical"), Some(&"films"));
/// ```
#[derive(Clone, Debug)]
pub struct Routes<T> {
    entries: Vec<(RouteMatch, T)>,
}

impl<T> Routes<T> {
    /// Takes the routes in the order in which they were configured.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (RouteMatch, T)>) -> Self {
        Self { entries: entries.into_iter().collect() }
    }

    /// Chooses for a request: `host` as in `Host` or the target (with or without port), `path`
    /// without its query.
    #[must_use]
    pub fn choose(&self, host: Option<&str>, path: &str) -> Option<&T> {
        self.best(host, |wanted, _| wanted.path_rank(path))
    }

    /// As [`Self::choose`], for those who have a rule of their own for paths: `claim` says how
    /// strongly a target claims the request, `None` for not at all, and counts in place of the
    /// prefix. Allocates nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use jellynet_upstream::{RouteMatch, Routes};
    ///
    /// let routes = Routes::new([(RouteMatch::any(), 1), (RouteMatch::any().with_host("tv.lan"), 0)]);
    /// assert_eq!(routes.choose_by(Some("tv.lan"), |target| Some(*target)), Some(&0));
    /// assert_eq!(routes.choose_by(Some("tv.lan"), |target| (*target > 0).then_some(())), Some(&1));
    /// ```
    #[must_use]
    pub fn choose_by<C: Ord>(
        &self,
        host: Option<&str>,
        claim: impl Fn(&T) -> Option<C>,
    ) -> Option<&T> {
        self.best(host, |_, target| claim(target))
    }

    /// Every target that may be meant by `host`, whatever the path, in the order in which they
    /// were configured.
    pub fn of_host<'r>(&'r self, host: Option<&'r str>) -> impl Iterator<Item = &'r T> {
        let host = host.map(without_port);
        let fitting = move |(wanted, _): &&(RouteMatch, T)| wanted.host_rank(host).is_some();
        self.entries.iter().filter(fitting).map(|(_, target)| target)
    }

    fn best<R: Ord>(
        &self,
        host: Option<&str>,
        rank: impl Fn(&RouteMatch, &T) -> Option<R>,
    ) -> Option<&T> {
        let host = host.map(without_port);
        let mut best: Option<((u8, R), &T)> = None;
        for (wanted, target) in &self.entries {
            let Some(host_rank) = wanted.host_rank(host) else { continue };
            // A less exact host cannot win, whatever the path.
            if best.as_ref().is_some_and(|((so_far, _), _)| *so_far > host_rank) {
                continue;
            }
            if let Some(rank) = rank(wanted, target).map(|rank| (host_rank, rank))
                && best.as_ref().is_none_or(|(so_far, _)| rank > *so_far)
            {
                best = Some((rank, target));
            }
        }
        best.map(|(_, target)| target)
    }

    /// All targets, in the order in which they were configured.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, target)| target)
    }
}

fn without_port(host: &str) -> &str {
    let end = match host.rfind(':') {
        Some(colon) if !host.get(colon..).unwrap_or_default().contains(']') => colon,
        _ => host.len(),
    };
    host.get(..end).unwrap_or(host).trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_route_counts() {
        let routes = Routes::new([
            (RouteMatch::any().with_prefix("/a"), 0),
            (RouteMatch::any().with_prefix("/a/b/"), 1),
            (RouteMatch::any().with_host("*.lan"), 2),
            (RouteMatch::any().with_host("tv.lan.").with_prefix("/"), 3),
            (RouteMatch::any().with_host("[fd00::5]"), 4),
            (RouteMatch::any().with_host("tv.lan"), 5),
        ]);
        for (host, path, expected) in [
            (Some("x"), "/a", Some(0)),
            (Some("x"), "/A/x", Some(0)),
            (Some("x"), "/a/b/c", Some(1)),
            (Some("x"), "/ab", None),
            (Some("x"), "/", None),
            (Some("music.LAN:80"), "/a/b", Some(2)),
            (Some("lan"), "/", None),
            (Some("evil-lan"), "/", None),
            (Some("TV.lan."), "/a/b", Some(3)),
            (Some("[FD00::5]:8096"), "/", Some(4)),
            (Some("[fd00::5]"), "/", Some(4)),
            (None, "/a", Some(0)),
            (None, "/", None),
        ] {
            assert_eq!(routes.choose(host, path).copied(), expected, "{host:?} {path}");
        }
    }

    #[test]
    fn hosts_part_the_targets_before_any_claim() {
        let routes = Routes::new([
            (RouteMatch::any(), 7),
            (RouteMatch::any().with_host("*.lan"), 3),
            (RouteMatch::any().with_host("tv.lan"), 5),
        ]);
        let all = |host| routes.of_host(host).copied().collect::<Vec<_>>();
        assert_eq!(all(Some("TV.lan:80")), [7, 3, 5]);
        assert_eq!(all(Some("x.lan")), [7, 3]);
        assert_eq!(all(None), [7]);
        let best = |host, claims: &dyn Fn(&i32) -> bool| {
            routes.choose_by(host, |target| claims(target).then_some(*target)).copied()
        };
        assert_eq!(best(Some("tv.lan"), &|_| true), Some(5));
        assert_eq!(best(Some("tv.lan"), &|target| *target != 5), Some(3));
        assert_eq!(best(Some("elsewhere"), &|_| true), Some(7));
        assert_eq!(best(Some("elsewhere"), &|target| *target != 7), None);
    }
}
