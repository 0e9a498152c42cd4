// sip/multipart.cc - see multipart.h.
#include "sip/multipart.h"

#include "sip/content_type.h"
#include "sip/value.h"

namespace parley::sip {
namespace {

constexpr std::size_t npos = std::string_view::npos;
constexpr std::string_view dashes = "--";

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// A boundary line in the body.
struct Delimiter {
  std::size_t start = npos;  // of the line end before it, which belongs to it
  std::size_t end = npos;    // behind its own line end
  bool closing = false;
};

class Splitter {
 public:
  Splitter(std::string_view body, std::string_view boundary, Multipart& out)
      : body_(body), boundary_(boundary), out_(out) {}

  MultipartError split() {
    Delimiter here = find(0, true);
    if (here.start == npos || here.closing) return MultipartError::no_part;
    line_feed_ = !ends_with_crlf(here.end);
    while (!here.closing) {
      const Delimiter next = find(here.end, false);
      const std::size_t end = next.start == npos ? body_.size() : next.start;
      if (out_.count == multipart_parts_max) return MultipartError::too_many_parts;
      if (!read_part(here.end, end, out_.parts[out_.count])) return MultipartError::headers;
      ++out_.count;
      if (next.start == npos) return MultipartError::none;
      here = next;
    }
    out_.closed = true;
    return MultipartError::none;
  }

 private:
  [[nodiscard]] bool ends_with_crlf(std::size_t end) const { return end >= 2 && body_[end - 2] == '\r'; }

  // The next boundary line at or behind `from`. `first`: its line end decides how lines end here.
  [[nodiscard]] Delimiter find(std::size_t from, bool first) const {
    for (std::size_t at = body_.find(dashes, from); at != npos; at = body_.find(dashes, at + 1)) {
      if (body_.compare(at + dashes.size(), boundary_.size(), boundary_) != 0) continue;
      const std::size_t start = line_start(at, from, first);
      if (start == npos) continue;
      Delimiter found{.start = start, .end = npos, .closing = false};
      if (ends_line(at + dashes.size() + boundary_.size(), first, found)) return found;
    }
    return {};
  }

  // Where the line end before `at` begins; npos when `at` is not at a line's start. The line end may lie directly
  // before `from`: a part may be empty.
  [[nodiscard]] std::size_t line_start(std::size_t at, std::size_t from, bool first) const {
    if (at == from) return at;
    if (body_[at - 1] != '\n') return npos;
    const bool crlf = at >= from + 2 && body_[at - 2] == '\r';
    if (crlf) return at - 2;
    return line_feed_ || first ? at - 1 : npos;
  }

  // What may follow a boundary: "--" or not, blanks, a line end. The closing one may end the body.
  [[nodiscard]] bool ends_line(std::size_t at, bool first, Delimiter& found) const {
    if (body_.substr(at, dashes.size()) == dashes) {
      found.closing = true;
      found.end = at + dashes.size();
      return true;
    }
    while (at < body_.size() && is_blank(body_[at])) ++at;
    if (body_.substr(at, 2) == "\r\n") {
      found.end = at + 2;
      return true;
    }
    if ((line_feed_ || first) && at < body_.size() && body_[at] == '\n') {
      found.end = at + 1;
      return true;
    }
    return false;
  }

  // Headers up to a blank line, then the body. A part may begin with the blank line.
  [[nodiscard]] bool read_part(std::size_t from, std::size_t end, Part& part) const {
    std::size_t at = from;
    while (at != end) {
      const std::size_t lf = body_.find('\n', at);
      if (lf == npos || lf >= end) return false;
      const std::size_t text_end = lf > at && body_[lf - 1] == '\r' ? lf - 1 : lf;
      if (text_end == at) {
        part.headers = span(from, at);
        part.body = span(lf + 1, end);
        return true;
      }
      const std::size_t line = at;
      at = lf + 1;
      if (at < end && is_blank(body_[at])) {
        at = line_behind_folds(at, end);
        if (at == npos) return false;
      }
      if (!keep_header(line, at, part)) return false;
    }
    part.headers = span(from, end);  // headers and no body: RFC 2046 has that
    part.body = span(end, end);
    return true;
  }

  // The start of the first line at or behind `at` that does not continue the one before.
  [[nodiscard]] std::size_t line_behind_folds(std::size_t at, std::size_t end) const {
    while (at < end && is_blank(body_[at])) {
      const std::size_t lf = body_.find('\n', at);
      if (lf == npos || lf >= end) return npos;
      at = lf + 1;
    }
    return at;
  }

  [[nodiscard]] bool keep_header(std::size_t from, std::size_t end, Part& part) const {
    const std::string_view line = body_.substr(from, end - from);
    const std::size_t colon = line.find(':');
    if (colon == npos) return false;
    const std::string_view name = trim(line.substr(0, colon));
    if (!is_token(name)) return false;
    const std::string_view value = trim(line.substr(colon + 1));
    Span* const slot = slot_of(name, part);
    if (slot != nullptr && !slot->present()) {
      const auto at = static_cast<std::size_t>(value.data() - body_.data());
      *slot = span(at, at + value.size());
    }
    return true;
  }

  static Span* slot_of(std::string_view name, Part& part) {
    if (core::equal_ignore_case(name, "Content-Type") || core::equal_ignore_case(name, "c")) return &part.content_type;
    if (core::equal_ignore_case(name, "Content-Disposition")) return &part.content_disposition;
    if (core::equal_ignore_case(name, "Content-ID")) return &part.content_id;
    if (core::equal_ignore_case(name, "Content-Transfer-Encoding")) return &part.content_transfer_encoding;
    return nullptr;
  }

  static Span span(std::size_t from, std::size_t end) {
    return {static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(end - from)};
  }

  std::string_view body_;
  std::string_view boundary_;
  Multipart& out_;
  bool line_feed_ = false;
};

std::string_view without_brackets(std::string_view id) {
  id = trim(id);
  if (id.size() >= 2 && id.front() == '<' && id.back() == '>') id = id.substr(1, id.size() - 2);
  return id;
}

}  // namespace

std::string_view to_string(MultipartError error) {
  switch (error) {
    case MultipartError::none: return "none";
    case MultipartError::boundary: return "boundary";
    case MultipartError::no_part: return "no_part";
    case MultipartError::headers: return "headers";
    case MultipartError::too_many_parts: return "too_many_parts";
  }
  return "";
}

MultipartError parse_multipart(std::string_view body, std::string_view boundary, Multipart& out) {
  out = {};
  if (boundary.empty() || boundary.size() > boundary_bytes_max) return MultipartError::boundary;
  return Splitter(body, boundary, out).split();
}

std::string_view sdp_in(std::string_view content_type, std::string_view body) {
  ContentType type;
  if (body.empty() || !parse_content_type(content_type, type)) return {};
  if (is_type(type, "application", "sdp")) return body;
  Multipart parts;
  if (!core::equal_ignore_case(type.type, "multipart") ||
      parse_multipart(body, find_param(type.parameters, "boundary"), parts) != MultipartError::none) {
    return {};
  }
  for (std::size_t i = 0; i < parts.count; ++i) {
    const Part& part = parts.parts[i];
    if (parse_content_type(part.content_type.of(body), type) && is_type(type, "application", "sdp")) {
      return part.body.of(body);
    }
  }
  return {};
}

bool same_content_id(std::string_view content_id, std::string_view other) {
  return without_brackets(content_id) == without_brackets(other);
}

}  // namespace parley::sip
