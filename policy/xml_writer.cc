// policy/xml_writer.cc - see xml_writer.h.
#include "policy/xml_writer.h"

#include "sip/xml_text.h"

namespace parley::policy {

namespace {

constexpr std::string_view xml_space = "http://www.w3.org/XML/1998/namespace";  // its prefix is always xml

}  // namespace

XmlWriter::XmlWriter(std::string& out, bool fragment) : out_(out), fragment_(fragment) {
  if (!fragment) out_ += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
}

XmlWriter::~XmlWriter() {
  while (!open_.empty()) close();
}

XmlWriter& XmlWriter::open(std::string_view name) {
  end_tag();
  out_.append("<").append(name);
  open_.emplace_back(name);
  in_tag_ = true;
  return *this;
}

XmlWriter& XmlWriter::attribute(std::string_view name, std::string_view value) {
  CHECK(in_tag_);
  out_.append(" ").append(name).append("=\"");
  sip::put_xml_text(out_, value);
  out_ += '"';
  return *this;
}
XmlWriter& XmlWriter::attribute(std::string_view name, std::uint64_t value) {
  return attribute(name, std::to_string(value));
}
XmlWriter& XmlWriter::boolean(std::string_view name, bool value) {
  return attribute(name, std::string_view(value ? "true" : "false"));
}

XmlWriter& XmlWriter::text(std::string_view text) {
  end_tag();
  sip::put_xml_text(out_, text);
  return *this;
}

XmlWriter& XmlWriter::close() {
  CHECK(!open_.empty());
  if (in_tag_) {
    out_ += "/>";
  } else {
    out_.append("</").append(open_.back()).append(">");
  }
  in_tag_ = false;
  open_.pop_back();
  if (open_.empty() && !fragment_) out_ += '\n';
  return *this;
}

XmlWriter& XmlWriter::leaf(std::string_view name, std::string_view content) { return open(name).text(content).close(); }

XmlWriter& XmlWriter::raw(std::string_view fragment) {
  end_tag();
  out_ += fragment;
  return *this;
}

bool XmlWriter::copy(XmlElement element, std::size_t bytes_max) {
  end_tag();
  const std::size_t begin = out_.size();
  if (copy_within(element, "\n", begin + bytes_max)) return true;  // no namespace has that name
  out_.resize(begin);
  return false;
}

bool XmlWriter::copy_within(XmlElement element, std::string_view outer_space, std::size_t end_max) {
  out_.append("<").append(element.name());
  const auto put = [this](std::string_view value) {
    out_ += "=\"";
    sip::put_xml_text(out_, value);
    out_ += '"';
  };
  if (element.space() != outer_space) {
    out_ += " xmlns";
    put(element.space());
  }
  for (std::size_t n = 0; n < element.attribute_count(); ++n) {
    const XmlElement::Attribute attribute = element.attribute_at(n);
    std::string prefix;
    if (attribute.space == xml_space) {
      prefix = "xml:";
    } else if (!attribute.space.empty()) {
      prefix = "a" + std::to_string(n);
      out_.append(" xmlns:").append(prefix);
      put(attribute.space);
      prefix += ':';
    }
    out_.append(" ").append(prefix).append(attribute.name);
    put(attribute.value);
    if (out_.size() > end_max) return false;
  }
  out_ += '>';
  sip::put_xml_text(out_, element.text());
  for (const XmlElement child : element.children()) {
    if (out_.size() > end_max || !copy_within(child, element.space(), end_max)) return false;
  }
  out_.append("</").append(element.name()).append(">");
  return out_.size() <= end_max;
}

void XmlWriter::end_tag() {
  if (in_tag_) out_ += '>';
  in_tag_ = false;
}

}  // namespace parley::policy
