// sip/forward.cc - a received message written again, with edits; see writer.h.
#include <bitset>

#include "sip/writer.h"
#include "sip/writer_lines.h"

namespace parley::sip {
namespace {

using Kind = HeaderEdit::Kind;

bool names(const HeaderEdit& edit, std::string_view bytes, const Header& header) {
  if (edit.header.id != HeaderId::other) return edit.header.id == header.id;
  return header.id == HeaderId::other && core::equal_ignore_case(edit.header.name, header.name.of(bytes));
}

// Whether it is the first header that the edit names.
bool is_first(const HeaderEdit& edit, const Head& head, std::string_view bytes, const Header& header) {
  if (edit.header.id != HeaderId::other) return head.first(edit.header.id) == &header;
  for (const Header* other = head.first(HeaderId::other); other != nullptr && other != &header;
       other = head.next(*other)) {
    if (names(edit, bytes, *other)) return false;
  }
  return true;
}

bool anywhere(const HeaderEdit& edit, const Head& head, std::string_view bytes) {
  if (edit.header.id != HeaderId::other) return head.first(edit.header.id) != nullptr;
  for (const Header* other = head.first(HeaderId::other); other != nullptr; other = head.next(*other)) {
    if (names(edit, bytes, *other)) return true;
  }
  return false;
}

// The value without its first item; empty when it had one only.
std::string_view popped(std::string_view value) {
  std::string_view first;
  if (!Items(value).next(first)) return {};
  const std::string_view rest = value.substr(static_cast<std::size_t>(first.data() + first.size() - value.data()));
  const std::size_t comma = rest.find(',');
  return comma == std::string_view::npos ? std::string_view{} : trim(rest.substr(comma + 1));
}

template <class Out>
class Forward {
 public:
  Forward(Out& out, const Head& head, std::string_view bytes, const ForwardText& text)
      : out_(out), head_(head), bytes_(bytes), text_(text) {
    touched_.set(static_cast<std::size_t>(HeaderId::content_length));
    touched_.set(static_cast<std::size_t>(HeaderId::via));
    for (const HeaderEdit& edit : text.edits) touched_.set(static_cast<std::size_t>(edit.header.id));
  }

  void put() {
    put_start();
    for (const HeaderEdit& edit : text_.edits) {
      if (edit.kind == Kind::prepend && !anywhere(edit, head_, bytes_)) put_header(out_, edit.header);
    }
    for (std::size_t i = 0; i < head_.header_count; ++i) put_old(head_.headers[i]);
    for (const HeaderEdit& edit : text_.edits) {
      const bool absent = edit.kind == Kind::replace && !anywhere(edit, head_, bytes_);
      if (absent || edit.kind == Kind::append) put_header(out_, edit.header);
    }
    put_end(out_, text_.body_bytes);
  }

 private:
  void put_start() {
    if (head_.request()) {
      out_.put(head_.method_name.of(bytes_)).put(' ').put(text_.uri.empty() ? head_.uri.of(bytes_) : text_.uri);
      out_.put(" SIP/2.0\r\n");
    } else {
      out_.put("SIP/2.0 ").number(head_.status).put(' ').put(head_.reason.of(bytes_)).put("\r\n");
    }
  }

  void put_old(const Header& header) {
    if (!touched_.test(static_cast<std::size_t>(header.id))) {  // most
      put_line(out_, header.name.of(bytes_), header.value.of(bytes_));
      return;
    }
    if (header.id == HeaderId::content_length) return;
    std::string_view value = header.value.of(bytes_);
    bool keep = true;
    for (const HeaderEdit& edit : text_.edits) {
      if (!names(edit, bytes_, header)) continue;
      const bool first = is_first(edit, head_, bytes_, header);
      switch (edit.kind) {
        case Kind::prepend:
          if (first) put_header(out_, edit.header);
          break;
        case Kind::replace:
          if (first) value = edit.header.value;
          keep &= first;
          break;
        case Kind::remove: keep = false; break;
        case Kind::pop:
          if (first) {
            value = popped(value);
            keep &= !value.empty();
          }
          break;
        case Kind::append: break;
      }
    }
    if (!keep) return;
    const std::string_view name = header.name.of(bytes_);
    if (header.id == HeaderId::via && head_.first(HeaderId::via) == &header) {
      put_stamped_via(out_, name, value, text_.stamp);
    } else {
      put_line(out_, name, value);
    }
  }

  Out& out_;
  const Head& head_;
  std::string_view bytes_;
  const ForwardText& text_;
  std::bitset<header_ids + 1> touched_;  // kinds of headers that some edit names, and those with rules of their own
};

}  // namespace

std::uint32_t forward_bytes(const Head& head, std::string_view bytes, const ForwardText& text) {
  core::TextSize size;
  Forward(size, head, bytes, text).put();
  return size.size();
}

std::uint32_t forward_bytes_max(const Head& head, std::string_view bytes, const ForwardText& text) {
  std::size_t size = bytes.size() + head.header_count * line_growth_max + rest_bytes_max;
  size += text.uri.size() + text.stamp.received.size();
  for (const HeaderEdit& edit : text.edits) size += header_bytes_max(edit.header);
  return static_cast<std::uint32_t>(size);
}

void put_forward(core::TextOut& out, const Head& head, std::string_view bytes, const ForwardText& text) {
  Forward(out, head, bytes, text).put();
}

}  // namespace parley::sip
