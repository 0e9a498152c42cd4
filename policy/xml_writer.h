// policy/xml_writer.h - writes an XML document, always well-formed: what is open is closed, texts are escaped, and what
// XML does not allow at all (control characters, bytes that are no UTF-8) becomes U+FFFD.
//
//   XmlWriter xml(out);
//   xml.open("entry").attribute("uri", uri).open("display-name").text(name).close().close();
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/xml_reader.h"

namespace parley::policy {

class XmlWriter {
 public:
  // Appends to `out`, which must live as long. Unless `fragment`, it begins with the XML declaration and ends with a
  // line's end.
  explicit XmlWriter(std::string& out, bool fragment = false);
  XmlWriter(const XmlWriter&) = delete;
  XmlWriter& operator=(const XmlWriter&) = delete;
  ~XmlWriter();  // closes what is open

  // `name` with its prefix, if any; names are ours and not escaped.
  XmlWriter& open(std::string_view name);
  // Right after open() or another attribute. "xmlns" and "xmlns:p" declare namespaces.
  XmlWriter& attribute(std::string_view name, std::string_view value);
  XmlWriter& attribute(std::string_view name, std::uint64_t value);
  XmlWriter& boolean(std::string_view name, bool value);  // an overload would take string literals
  XmlWriter& text(std::string_view text);
  XmlWriter& close();

  // <name>text</name>
  XmlWriter& leaf(std::string_view name, std::string_view text);
  // A whole element as it was read, with namespace declarations of its own, so that it means the same anywhere; text
  // between children comes before them. False, and nothing written, when that takes more than `bytes_max`.
  [[nodiscard]] bool copy(XmlElement element, std::size_t bytes_max);
  // What an XmlWriter has written as a fragment.
  XmlWriter& raw(std::string_view fragment);

 private:
  void end_tag();
  bool copy_within(XmlElement element, std::string_view outer_space, std::size_t end_max);
  std::string& out_;
  const bool fragment_;
  std::vector<std::string> open_;
  bool in_tag_ = false;
};

}  // namespace parley::policy
