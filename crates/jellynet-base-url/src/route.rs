//! Where does a request go? One pure function.

use std::borrow::Cow;

use crate::base_path::BasePath;
use crate::claim::{Claim, ClaimedBy};
use crate::paths::{DefaultPath, InPlacePath};
use crate::percent::{Bytes, push_reference};
use crate::relative::relative;

/// What kind of request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "either a redirect reaches the user or it does not")]
pub enum RequestClass {
    /// A `GET` or `HEAD` such as a browser sends to show a page: it follows redirects.
    Navigation,
    /// All else: other methods, WebSocket and other upgrades, and programs that ask for data. A
    /// redirect would lose their body, or they would not follow it.
    Other,
}

#[cfg(feature = "tower")]
impl RequestClass {
    /// Tells the class of a request: a navigation is a `GET` or `HEAD` without `Upgrade` whose
    /// `Accept` is absent, names HTML, or names nothing but `*/*`.
    #[must_use]
    pub fn of(method: &http::Method, headers: &http::HeaderMap) -> Self {
        let reads = matches!(*method, http::Method::GET | http::Method::HEAD);
        if !reads || headers.contains_key(http::header::UPGRADE) {
            return Self::Other;
        }
        let mut named_other = false;
        for value in headers.get_all(http::header::ACCEPT) {
            for range in value.as_bytes().split(|&byte| byte == b',') {
                let kind = range.split(|&byte| byte == b';').next().unwrap_or_default();
                match kind.trim_ascii() {
                    kind if kind.eq_ignore_ascii_case(b"text/html")
                        || kind.eq_ignore_ascii_case(b"application/xhtml+xml") =>
                    {
                        return Self::Navigation;
                    }
                    b"" | b"*/*" => {}
                    _ => named_other = true,
                }
            }
        }
        if named_other { Self::Other } else { Self::Navigation }
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller has to handle all three and there is no fourth"
)]
pub enum Route<'t> {
    /// To the application, with this target.
    Pass {
        /// The raw target behind the prefix, with its query; borrowed unless a `/` had to be put
        /// in front of a query.
        inner: Cow<'t, str>,
    },
    /// Elsewhere on this server.
    Redirect {
        /// The status: 302, never cached for good, since an operator may change the base URL again.
        status: u16,
        /// The `Location`: relative, or path-absolute for a target with dot segments; never with
        /// a host.
        location: String,
    },
    /// Nowhere: 404.
    NotFound,
}

/// The base path, its predecessors and the paths that stay reachable without it.
///
/// [`Router::route`] is the whole rule; [`BaseUrlLayer`](crate::BaseUrlLayer) applies it.
#[derive(Clone, Debug)]
pub struct Router {
    base: BasePath,
    /// Longest first.
    previous: Vec<BasePath>,
    default_path: DefaultPath,
    in_place: Vec<InPlacePath>,
}

impl Router {
    /// Makes a router for `base` with no predecessors, the default path `web/` and
    /// [`InPlacePath::defaults`].
    #[must_use]
    pub fn new(base: BasePath) -> Self {
        Self {
            base,
            previous: Vec::new(),
            default_path: DefaultPath::default(),
            in_place: InPlacePath::defaults(),
        }
    }

    /// Sets the base paths under which the server lived before. The root is one of them where a
    /// server without a base URL got one. Default: none.
    #[must_use]
    pub fn with_previous(mut self, previous: impl IntoIterator<Item = BasePath>) -> Self {
        self.previous = previous.into_iter().collect();
        self.previous.sort_by_key(|path| std::cmp::Reverse(path.len()));
        self
    }

    /// Sets where a visitor of the base itself is sent. Default: `web/`.
    #[must_use]
    pub fn with_default_path(mut self, path: DefaultPath) -> Self {
        self.default_path = path;
        self
    }

    /// Sets the paths that answer with and without the prefix, in place of the defaults.
    #[must_use]
    pub fn with_in_place(mut self, paths: impl IntoIterator<Item = InPlacePath>) -> Self {
        self.in_place = paths.into_iter().collect();
        self
    }

    /// The base path.
    #[must_use]
    pub const fn base(&self) -> &BasePath {
        &self.base
    }

    /// Decides where a raw request target (path and query, as it stands in the request line)
    /// goes. Allocates nothing for [`Route::Pass`], except to put a `/` before a query that
    /// follows the base directly.
    ///
    /// The table is in the [crate documentation](crate).
    #[must_use]
    pub fn route<'t>(&self, class: RequestClass, target: &'t str) -> Route<'t> {
        // `OPTIONS *` (RFC 9112 § 3.2.4) asks the server, not a path.
        if target == "*" {
            return pass(target);
        }
        let (path, query) = split_query(target);
        if !(path.is_empty() || path.starts_with('/')) {
            return Route::NotFound;
        }
        match self.place(path) {
            Place::Base(rest) => self.at_base(class, path, rest, target, query),
            Place::Previous { rest, .. } => self.at_previous(class, path, rest, target, query),
            Place::Stays => pass(target),
            Place::Nowhere => Route::NotFound,
            Place::Outside => match class {
                RequestClass::Navigation => self.to_default(path, query),
                RequestClass::Other => Route::NotFound,
            },
        }
    }

    /// Decides for a request whose proxy says, by `X-Forwarded-Prefix`, that it has already cut
    /// `prefix` off.
    ///
    /// The header counts only where it names this very base path, so it takes no trust: a client
    /// that sets it gets what it would get under the prefix.
    #[must_use]
    pub fn route_stripped<'t>(
        &self,
        class: RequestClass,
        target: &'t str,
        prefix: &str,
    ) -> Route<'t> {
        let (path, query) = split_query(target);
        if !self.is_stripped(path, prefix) {
            return self.route(class, target);
        }
        match class {
            RequestClass::Navigation if path == "/" && !self.default_path.is_none() => {
                let mut location = relative(path, &format!("/{}", self.default_path));
                push_reference(&mut location, query);
                found(location)
            }
            _ => pass(target),
        }
    }

    /// How strongly this router claims a raw request target whose proxy says, by
    /// `X-Forwarded-Prefix`, that it has cut `prefix` off. `None` where [`Self::route`] would
    /// redirect to the base or answer 404: the target may be another's.
    ///
    /// Allocates nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use jellynet_base_url::Router;
    ///
    /// let (films, music) = (Router::new("/films".parse()?), Router::new("/films/music".parse()?));
    /// let path = "/films/music/web/";
    /// assert!(music.claim(path, None) > films.claim(path, None));
    /// assert_eq!(films.claim("/books/", None), None);
    /// # Ok::<(), jellynet_base_url::ParseBasePathError>(())
    /// ```
    #[must_use]
    pub fn claim(&self, target: &str, prefix: Option<&str>) -> Option<Claim> {
        let (path, _) = split_query(target);
        if target == "*" {
            return Some(Claim { prefix: 0, by: ClaimedBy::InPlace });
        }
        if !(path.is_empty() || path.starts_with('/')) {
            return None;
        }
        if prefix.is_some_and(|prefix| self.is_stripped(path, prefix)) {
            return Some(Claim { prefix: self.base.len(), by: ClaimedBy::Base });
        }
        let (prefix, by) = match self.place(path) {
            Place::Base(_) => (self.base.len(), ClaimedBy::Base),
            Place::Previous { prefix, .. } => (prefix, ClaimedBy::Previous),
            Place::Stays => (0, ClaimedBy::InPlace),
            Place::Nowhere | Place::Outside => return None,
        };
        Some(Claim { prefix, by })
    }

    /// Whether a proxy has cut this base off a path, as it says.
    fn is_stripped(&self, path: &str, prefix: &str) -> bool {
        let same = !self.base.is_root() && self.base.strip(prefix).is_some_and(is_base_itself);
        same && path.starts_with('/') && self.base.strip(path).is_none() && !climbs(path)
    }

    fn place<'t>(&self, path: &'t str) -> Place<'t> {
        // There is nothing to climb out of above the root: what is not sure is the application's.
        let stays_below = |rest: &&str| self.base.is_root() || !climbs(rest);
        let under_base = self.base.strip(path).filter(stays_below);
        // The longest prefix wins, so that a base URL can be removed: its root matches all.
        for previous in &self.previous {
            if under_base.is_some() && previous.len() <= self.base.len() {
                break;
            }
            if let Some(rest) = previous.strip(path).filter(|rest| !climbs(rest)) {
                if previous.is_root() && self.stays(path) {
                    return Place::Stays;
                }
                return Place::Previous { prefix: previous.len(), rest };
            }
        }
        match under_base {
            Some(rest) => Place::Base(rest),
            None if self.stays(path) => Place::Stays,
            None if self.base.is_near_miss(path) || dots(path).is_some() => Place::Nowhere,
            None => Place::Outside,
        }
    }

    fn stays(&self, path: &str) -> bool {
        let mut rests = self.in_place.iter().filter_map(|entry| entry.strip(path));
        rests.next().is_some_and(|rest| !climbs(rest))
    }

    fn at_base<'t>(
        &self,
        class: RequestClass,
        path: &str,
        rest: &str,
        target: &'t str,
        query: &str,
    ) -> Route<'t> {
        let visited = is_base_itself(rest) && class == RequestClass::Navigation;
        if visited && !(self.default_path.is_none() && rest == "/") {
            return self.to_default(path, query);
        }
        pass_rest(target, path, rest)
    }

    fn at_previous<'t>(
        &self,
        class: RequestClass,
        path: &str,
        rest: &str,
        target: &'t str,
        query: &str,
    ) -> Route<'t> {
        // A path that begins with `//` would read as a host wherever it is repeated.
        let ambiguous = rest.starts_with("//") || rest.starts_with("/\\");
        if class == RequestClass::Other || ambiguous || self.stays(rest) {
            return pass_rest(target, path, rest);
        }
        if is_base_itself(rest) {
            return self.to_default(path, query);
        }
        self.to(path, rest, query)
    }

    fn to_default(&self, path: &str, query: &str) -> Route<'static> {
        self.to(path, &format!("/{}", self.default_path), query)
    }

    /// Redirects to `inner` under the base.
    fn to(&self, path: &str, inner: &str, query: &str) -> Route<'static> {
        let mut to = self.base.as_str().to_owned();
        push_reference(&mut to, inner);
        // Clients disagree about where dot segments, above all encoded ones, lead: for such a
        // target only a reference from the root is sure.
        let mut location = if dots(path).is_some() { to } else { relative(path, &to) };
        push_reference(&mut location, query);
        found(location)
    }
}

/// Where a path lies.
enum Place<'t> {
    /// Under the base, with this behind it.
    Base(&'t str),
    /// Under an earlier base of that length, with `rest` behind it.
    Previous {
        prefix: usize,
        rest: &'t str,
    },
    /// Reachable without the base.
    Stays,
    /// `/jellyfinx`: a mistyped address or a neighbour's, which a redirect would hide. `/..%2fx`:
    /// no browser asks for it, and whoever does means another place than it says.
    Nowhere,
    Outside,
}

fn found(location: String) -> Route<'static> {
    Route::Redirect { status: 302, location }
}

const fn pass(inner: &str) -> Route<'_> {
    Route::Pass { inner: Cow::Borrowed(inner) }
}

/// Passes what follows the prefix: `rest` is the end of `path`, which is the front of `target`.
fn pass_rest<'t>(target: &'t str, path: &str, rest: &str) -> Route<'t> {
    let inner = target.get(path.len() - rest.len()..).unwrap_or_default();
    Route::Pass {
        inner: match inner.as_bytes().first() {
            None => Cow::Borrowed("/"),
            Some(b'/') => Cow::Borrowed(inner),
            Some(_) => Cow::Owned(format!("/{inner}")),
        },
    }
}

fn is_base_itself(rest: &str) -> bool {
    matches!(rest, "" | "/")
}

/// Splits before the `?` (or a stray `#`); the query keeps its mark.
fn split_query(target: &str) -> (&str, &str) {
    let at = target.bytes().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(target.len());
    target.split_at_checked(at).unwrap_or((target, ""))
}

/// Whether `..` could lead out of the place where `path` begins, as any server might read it.
fn climbs(path: &str) -> bool {
    dots(path).is_some_and(|deepest| deepest < 0)
}

/// How far up the dot segments of a path lead at most; `None` where it has none.
///
/// Reads as the most generous server would: dots plain or encoded, slashes plain, encoded or
/// backwards, empty segments merged.
fn dots(path: &str) -> Option<i32> {
    if !may_have_dots(path) {
        return None;
    }
    let (mut depth, mut deepest) = (0_i32, None);
    let (mut dots, mut others) = (0_usize, 0_usize);
    let end = std::iter::once(b'/');
    for byte in Bytes::new(path).map(|byte| byte.value).chain(end) {
        match byte {
            b'/' | b'\\' => {
                match (dots, others) {
                    (0, 0) => {}
                    (1 | 2, 0) => {
                        depth -= i32::from(dots == 2);
                        deepest = Some(depth.min(deepest.unwrap_or(0)));
                    }
                    _ => depth = depth.saturating_add(1),
                }
                (dots, others) = (0, 0);
            }
            b'.' => dots += 1,
            _ => others += 1,
        }
    }
    deepest
}

/// One quick look, since nearly every path has none.
fn may_have_dots(path: &str) -> bool {
    let mut at_start = true;
    path.bytes().any(|byte| {
        let suspicious = matches!(byte, b'%' | b'\\') || (byte == b'.' && at_start);
        at_start = byte == b'/';
        suspicious
    })
}
