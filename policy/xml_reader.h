// policy/xml_reader.h - an XML document as a tree that can only be read, within limits that stand before the parser.
//
// libxml2 reads it, without network, entities or DOCTYPE (refused: it is the door to all of them), in UTF-8 alone. What
// is not well-formed, or above a limit, is an XmlError with its line and no document. The document owns all its texts;
// elements and texts are views into it. Nothing here remembers anything: parse() may be called on any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/text.h"

namespace parley::policy {

struct XmlLimits {
  std::size_t bytes_max = 64 * 1024;  // of the document; a list of 500 long URIs has 40 KiB
  std::size_t tag_bytes_max = 4096;   // of one tag with its attributes: comparing these takes time with their square
  std::size_t elements_max = 4096;    // in the document
  std::uint32_t depth_max = 16;       // the root is at 1
  std::uint32_t namespaces_max = 64;  // declarations in the document
};

// Empty `reason`: none. The reason may hold names from the document; it is one line of printable bytes.
struct XmlError {
  std::uint32_t line = 0;  // the first line is 1; 0: of no line
  std::string reason;
  [[nodiscard]] explicit operator bool() const { return !reason.empty(); }
};
// "line 7: <entry> has no uri"
[[nodiscard]] std::string to_string(const XmlError& error);
// The encoding that a document's XML declaration names is one that is read here.
[[nodiscard]] XmlError check_xml_encoding(std::string_view bytes);

class XmlChildren;
class XmlDocument;

// One element, or none: questions about none are answered with nothing. Valid while the document is.
class XmlElement {
 public:
  XmlElement() = default;
  [[nodiscard]] explicit operator bool() const { return document_ != nullptr; }

  [[nodiscard]] std::string_view name() const;   // without its prefix
  [[nodiscard]] std::string_view space() const;  // the namespace's name, empty: none
  [[nodiscard]] std::string_view text() const;   // its own, without that of children and without blanks at the ends
  [[nodiscard]] std::uint32_t line() const;
  [[nodiscard]] bool is(std::string_view space, std::string_view name) const;

  [[nodiscard]] XmlElement first_child() const;
  [[nodiscard]] XmlElement next() const;       // the next one of the same parent
  [[nodiscard]] XmlChildren children() const;  // for (const XmlElement child : element.children())
  // The first child of that name, of that namespace or of any.
  [[nodiscard]] XmlElement child(std::string_view space, std::string_view name) const;
  [[nodiscard]] XmlElement child(std::string_view name) const;

  // The value of an attribute without a prefix; with `space` of one of that namespace. nullopt: absent.
  [[nodiscard]] std::optional<std::string_view> attribute(std::string_view name) const;
  [[nodiscard]] std::optional<std::string_view> attribute(std::string_view space, std::string_view name) const;
  struct Attribute {
    std::string_view space;
    std::string_view name;
    std::string_view value;
  };
  [[nodiscard]] std::size_t attribute_count() const;
  [[nodiscard]] Attribute attribute_at(std::size_t index) const;

 private:
  friend class XmlDocument;
  friend class XmlChildren;
  XmlElement(const XmlDocument* document, std::uint32_t index) : document_(document), index_(index) {}
  const XmlDocument* document_ = nullptr;
  std::uint32_t index_ = 0;
};

// What is wrong with an element, at its line: "<entry> has no uri".
[[nodiscard]] XmlError bad(XmlElement element, std::string_view why);

class XmlChildren {
 public:
  class Iterator {
   public:
    explicit Iterator(XmlElement at) : at_(at) {}
    XmlElement operator*() const { return at_; }
    Iterator& operator++() {
      at_ = at_.next();
      return *this;
    }
    bool operator!=(const Iterator&) const { return static_cast<bool>(at_); }  // the end is no element

   private:
    XmlElement at_;
  };
  explicit XmlChildren(XmlElement parent) : parent_(parent) {}
  [[nodiscard]] Iterator begin() const { return Iterator(parent_.first_child()); }
  [[nodiscard]] Iterator end() const { return Iterator(XmlElement()); }

 private:
  XmlElement parent_;
};

class XmlDocument {
 public:
  // Replaces what this document was. After an error it is empty.
  [[nodiscard]] XmlError parse(std::string_view bytes, const XmlLimits& limits = {});
  [[nodiscard]] XmlElement root() const LIFETIME_BOUND;

 private:
  friend class XmlElement;
  friend struct XmlBuilder;
  static constexpr std::uint32_t none = UINT32_MAX;
  struct Attribute {
    core::Span name;
    core::Span value;
    std::uint32_t space = 0;
  };
  struct Element {
    core::Span name;
    core::Span text;
    std::uint32_t space = 0;  // index into spaces_
    std::uint32_t line = 0;
    std::uint32_t first_child = none;
    std::uint32_t next = none;
    std::uint32_t attributes = 0;  // the first of them
    std::uint32_t attribute_count = 0;
  };
  std::string texts_;
  std::vector<Element> elements_;  // the root first
  std::vector<Attribute> attributes_;
  std::vector<std::string> spaces_;  // the first one is empty
};

// ---- values that several documents have ----

// xs:boolean, blanks around it and case ignored: true, false, 1, 0. nullopt: something else.
[[nodiscard]] std::optional<bool> xml_boolean(std::string_view text);
// xs:nonNegativeInteger up to 2^32 - 1, blanks around it ignored.
[[nodiscard]] std::optional<std::uint32_t> xml_number(std::string_view text);
// xs:dateTime as Unix time; without a zone it is UTC.
[[nodiscard]] std::optional<std::int64_t> xml_date_time_ms(std::string_view text);
[[nodiscard]] std::string xml_date_time(std::int64_t ms);
// xs:duration (days and smaller parts) or a plain number of seconds.
[[nodiscard]] std::optional<std::uint32_t> xml_duration_seconds(std::string_view text);

}  // namespace parley::policy
