// policy/xcap_tree.h - a document as text with the places of its elements and attributes: nodes are taken out of it and
// put into it as bytes, so that whatever a request is not about stays as its user wrote it (RFC 4825 section 8).
//
// The bytes are the caller's and outlive the tree; they are read within XmlLimits, by libxml2 (xml_reader.h), before a
// place in them is looked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/xcap_uri.h"
#include "policy/xml_reader.h"

namespace parley::policy {

class XcapTree {
 public:
  static constexpr std::uint32_t none = UINT32_MAX;

  // Offsets into the document.
  struct Element {
    XmlElement read;
    std::uint32_t begin = 0;        // '<' of its start tag
    std::uint32_t name_end = 0;     // end of the name in it
    std::uint32_t open_end = 0;     // behind '>' of it
    std::uint32_t close_begin = 0;  // '<' of its end tag; of an empty element as open_end
    std::uint32_t end = 0;          // behind it all
    bool empty_tag = false;         // <a/>
    std::uint32_t parent = none;
    std::uint32_t first_child = none;
    std::uint32_t next = none;
  };
  struct Attribute {
    std::string_view name;    // with its prefix
    std::uint32_t begin = 0;  // of the name
    std::uint32_t value = 0;  // the quote before the value
    std::uint32_t end = 0;    // behind the quote after it
  };

  XcapTree() = default;
  XcapTree(const XcapTree&) = delete;  // elements know where the document is
  XcapTree& operator=(const XcapTree&) = delete;

  // After an error it is empty.
  [[nodiscard]] XmlError read(std::string_view bytes LIFETIME_BOUND, const XmlLimits& limits);
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return elements_.empty(); }
  [[nodiscard]] const Element& at(std::uint32_t index) const { return elements_[index]; }  // 0: the root
  [[nodiscard]] std::string_view text_of(std::uint32_t index) const {
    return bytes_.substr(elements_[index].begin, elements_[index].end - elements_[index].begin);
  }
  // `parent` none: the root alone.
  [[nodiscard]] std::vector<std::uint32_t> children_of(std::uint32_t parent) const;

  // In the start tag, namespace declarations among them.
  [[nodiscard]] std::vector<Attribute> attributes_of(std::uint32_t index) const;
  // The one that stands for an expanded name.
  [[nodiscard]] bool find_attribute(std::uint32_t index, const XcapName& name, Attribute& out) const;
  // Declarations in scope of an element: prefix (empty: the default) and value between its quotes, inner ones first.
  struct Declaration {
    std::string_view prefix;
    std::string_view value;  // as it stands there, with its quotes
  };
  [[nodiscard]] std::vector<Declaration> declarations_of(std::uint32_t index) const;

 private:
  [[nodiscard]] bool place();
  [[nodiscard]] bool open_tag(std::uint32_t at, std::uint32_t parent, std::uint32_t& behind);

  std::string_view bytes_;
  XmlDocument document_;
  std::vector<Element> elements_;  // in the order of their start tags
  std::vector<XmlElement> order_;  // as the reader has them, in the same order
};

}  // namespace parley::policy
