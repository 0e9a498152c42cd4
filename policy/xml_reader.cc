// policy/xml_reader.cc - see xml_reader.h.
#include "policy/xml_reader.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <algorithm>
#include <cstring>

#include "core/utf8.h"

namespace parley::policy {

namespace {

// libxml2's tables are made while there is one thread; afterwards a parser touches nothing that another one does.
[[maybe_unused]] const bool initialised = [] {
  xmlInitParser();
  return true;
}();

constexpr std::size_t reason_bytes_max = 160;
constexpr std::string_view blanks = " \t\r\n";

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view{} : std::string_view(reinterpret_cast<const char*>(text));
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::uint32_t lines_before(std::string_view bytes, std::size_t position) {
  return static_cast<std::uint32_t>(
      1 +
      std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(std::min(position, bytes.size())), '\n'));
}

// What the parser says, fit for a line of a log.
std::string printable(std::string_view text) {
  std::string out(trimmed(text).substr(0, reason_bytes_max));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = c == '\n' || c == '\t' ? ' ' : '?';
  }
  return out;
}

// ---- before the parser ----

// In attributes, and so in namespaces, libxml2 leaves one character as a reference unless it is to replace entities:
// the ampersand.
void put_decoded(std::string& out, std::string_view text) {
  while (true) {
    const std::size_t at = text.find("&#38;");
    out.append(text.substr(0, at));
    if (at == std::string_view::npos) return;
    out += '&';
    text.remove_prefix(at + 5);
  }
}

// What follows is skipped up to its end; 0 length: it has none.
std::size_t skip_to(std::string_view bytes, std::size_t from, std::string_view end) {
  const std::size_t at = bytes.find(end, from);
  return at == std::string_view::npos ? bytes.size() : at + end.size();
}

// DOCTYPE and tags beyond the limit are found before libxml2 sees a byte: it compares the attributes of a tag each with
// each. Where this reading and the parser's part, the document is not well-formed before that place, and the parser
// stops there.
XmlError scan_markup(std::string_view bytes, const XmlLimits& limits, std::size_t& tags) {
  std::size_t at = 0;
  while ((at = bytes.find('<', at)) != std::string_view::npos) {
    const std::string_view rest = bytes.substr(at);
    if (rest.starts_with("<!--")) {
      at = skip_to(bytes, at + 4, "-->");
    } else if (rest.starts_with("<![CDATA[")) {
      at = skip_to(bytes, at + 9, "]]>");
    } else if (rest.starts_with("<?")) {
      at = skip_to(bytes, at + 2, "?>");
    } else if (rest.starts_with("<!")) {
      return {lines_before(bytes, at), "has a DOCTYPE or other declaration, which is not allowed"};
    } else {
      if (rest.size() > 1 && rest[1] != '/') ++tags;
      char quote = '\0';
      std::size_t end = at + 1;
      for (; end < bytes.size() && end - at <= limits.tag_bytes_max; ++end) {
        const char c = bytes[end];
        if (quote != '\0') {
          if (c == quote) quote = '\0';
        } else if (c == '"' || c == '\'') {
          quote = c;
        } else if (c == '>') {
          break;
        }
      }
      if (end - at > limits.tag_bytes_max) {
        return {lines_before(bytes, at), "has a tag of more than " + std::to_string(limits.tag_bytes_max) + " bytes"};
      }
      at = end;
    }
  }
  return {};
}

XmlError scan_bytes(std::string_view bytes) {
  core::Utf8Check utf8;
  // By line, so that the line can be named.
  for (std::size_t at = 0, line = 1; at < bytes.size(); ++line) {
    const std::size_t end = std::min(bytes.find('\n', at), bytes.size() - 1) + 1;
    const std::string_view text = bytes.substr(at, end - at);
    if (!utf8.take(text) || text.find('\0') != std::string_view::npos)
      return {static_cast<std::uint32_t>(line), "is not UTF-8"};
    at = end;
  }
  if (!utf8.whole()) return {lines_before(bytes, bytes.size()), "is not UTF-8"};
  return {};
}

}  // namespace

// The encoding that the XML declaration names; the parser is told not to look.
XmlError check_xml_encoding(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  if (!bytes.starts_with("<?xml")) return {};
  const std::string_view declaration = bytes.substr(0, bytes.find("?>"));
  const std::size_t name = declaration.find("encoding");
  if (name == std::string_view::npos) return {};
  const std::size_t open = declaration.find_first_of("\"'", name);
  if (open == std::string_view::npos) return {};
  const std::string_view value = declaration.substr(open + 1, declaration.find(declaration[open], open + 1) - open - 1);
  if (core::equal_ignore_case(value, "UTF-8") || core::equal_ignore_case(value, "US-ASCII")) return {};
  return {1, "names another encoding than UTF-8"};
}

std::string to_string(const XmlError& error) {
  return error.line == 0 ? error.reason : "line " + std::to_string(error.line) + ": " + error.reason;
}

XmlError bad(XmlElement element, std::string_view why) {
  return {element.line(), "<" + std::string(element.name()) + "> " + std::string(why)};
}

// What the parser's events become.
struct XmlBuilder {
  XmlDocument& document;
  const XmlLimits& limits;
  xmlParserCtxtPtr parser = nullptr;
  XmlError error;
  std::uint32_t namespaces = 0;
  struct Open {
    std::uint32_t element = 0;
    std::uint32_t last_child = XmlDocument::none;
    std::string text;
  };
  std::vector<Open> open;  // from the root on; beyond `depth` the rest is kept for its memory
  std::size_t depth = 0;

  static XmlBuilder& of(void* context) { return *static_cast<XmlBuilder*>(context); }

  [[nodiscard]] std::uint32_t line() const {
    return parser->input != nullptr ? static_cast<std::uint32_t>(std::max(parser->input->line, 0)) : 0;
  }
  void fail(std::string reason) { fail(line(), std::move(reason)); }
  void fail(std::uint32_t at, std::string reason) {
    if (!error) error = {at, std::move(reason)};
    xmlStopParser(parser);
  }

  core::Span keep(std::string_view text) {
    const core::Span span{static_cast<std::uint32_t>(document.texts_.size()), static_cast<std::uint32_t>(text.size())};
    document.texts_.append(text);
    return span;
  }
  core::Span keep_value(std::string_view text) {
    const auto begin = static_cast<std::uint32_t>(document.texts_.size());
    put_decoded(document.texts_, text);
    return {begin, static_cast<std::uint32_t>(document.texts_.size()) - begin};
  }
  std::uint32_t space_index(std::string_view text) {
    std::string space;
    put_decoded(space, text);
    auto& spaces = document.spaces_;
    const auto index = static_cast<std::uint32_t>(std::find(spaces.begin(), spaces.end(), space) - spaces.begin());
    if (index == spaces.size()) spaces.push_back(std::move(space));
    return index;
  }

  void start(std::string_view name, std::string_view space, int namespace_count, int attribute_count,
             const xmlChar** attributes) {
    if (error) return;
    if (depth >= limits.depth_max) return fail("is nested deeper than " + std::to_string(limits.depth_max));
    if (document.elements_.size() >= limits.elements_max) {
      return fail("has more than " + std::to_string(limits.elements_max) + " elements");
    }
    namespaces += static_cast<std::uint32_t>(namespace_count);
    if (namespaces > limits.namespaces_max) {
      return fail("declares more than " + std::to_string(limits.namespaces_max) + " namespaces");
    }
    const auto index = static_cast<std::uint32_t>(document.elements_.size());
    XmlDocument::Element element;
    element.name = keep(name);
    element.space = space_index(space);
    element.line = line();
    element.attributes = static_cast<std::uint32_t>(document.attributes_.size());
    element.attribute_count = static_cast<std::uint32_t>(attribute_count);
    for (int n = 0; n < attribute_count; ++n, attributes += 5) {  // name, prefix, namespace, value, its end
      XmlDocument::Attribute attribute;
      attribute.name = keep(view(attributes[0]));
      attribute.space = space_index(view(attributes[2]));
      attribute.value = keep_value(
          {reinterpret_cast<const char*>(attributes[3]), static_cast<std::size_t>(attributes[4] - attributes[3])});
      document.attributes_.push_back(attribute);
    }
    document.elements_.push_back(element);
    if (depth > 0) {
      Open& parent = open[depth - 1];
      (parent.last_child == XmlDocument::none ? document.elements_[parent.element].first_child
                                              : document.elements_[parent.last_child].next) = index;
      parent.last_child = index;
    }
    if (open.size() == depth) open.emplace_back();
    open[depth].element = index;
    open[depth].last_child = XmlDocument::none;
    open[depth].text.clear();
    ++depth;
  }

  void text(std::string_view piece) {
    if (!error && depth > 0) open[depth - 1].text.append(piece);
  }

  void end() {
    if (error || depth == 0) return;
    --depth;
    document.elements_[open[depth].element].text = keep(trimmed(open[depth].text));
  }
};

namespace {

void on_start(void* context, const xmlChar* name, const xmlChar*, const xmlChar* space, int namespaces, const xmlChar**,
              int attributes, int, const xmlChar** values) {
  XmlBuilder::of(context).start(view(name), view(space), namespaces, attributes, values);
}
void on_end(void* context, const xmlChar*, const xmlChar*, const xmlChar*) { XmlBuilder::of(context).end(); }
void on_text(void* context, const xmlChar* text, int size) {
  XmlBuilder::of(context).text({reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)});
}
void on_doctype(void* context, const xmlChar*, const xmlChar*, const xmlChar*) {
  XmlBuilder::of(context).fail("has a DOCTYPE, which is not allowed");
}
void on_error(void* context, xmlErrorPtr error) {
  if (error->level < XML_ERR_ERROR) return;
  XmlBuilder::of(context).fail(static_cast<std::uint32_t>(std::max(error->line, 0)),
                               error->message == nullptr ? "is not well-formed" : printable(error->message));
}

}  // namespace

XmlError XmlDocument::parse(std::string_view bytes, const XmlLimits& limits) {
  texts_.clear();
  elements_.clear();
  attributes_.clear();
  spaces_.assign(1, std::string());
  if (bytes.empty()) return {0, "is empty"};
  if (bytes.size() > limits.bytes_max) return {0, "is longer than " + std::to_string(limits.bytes_max) + " bytes"};
  std::size_t tags = 0;
  if (XmlError error = scan_bytes(bytes)) return error;
  if (XmlError error = check_xml_encoding(bytes)) return error;
  if (XmlError error = scan_markup(bytes, limits, tags)) return error;

  xmlParserCtxtPtr parser = xmlCreateMemoryParserCtxt(bytes.data(), static_cast<int>(bytes.size()));
  if (parser == nullptr) return {0, "could not be read for lack of memory"};
  XmlBuilder builder{.document = *this, .limits = limits, .parser = parser, .error = {}, .open = {}};
  elements_.reserve(std::min(tags, limits.elements_max));
  texts_.reserve(bytes.size() / 2);
  std::memset(parser->sax, 0, sizeof *parser->sax);
  parser->sax->initialized = XML_SAX2_MAGIC;
  parser->sax->startElementNs = on_start;
  parser->sax->endElementNs = on_end;
  parser->sax->characters = on_text;
  parser->sax->ignorableWhitespace = on_text;
  parser->sax->cdataBlock = on_text;
  parser->sax->internalSubset = on_doctype;
  parser->sax->serror = on_error;
  parser->userData = &builder;
  // XML_PARSE_NOENT, DTDLOAD and HUGE stay out: the first reads files, the last lifts the parser's own limits.
  xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);
  const bool whole =
      xmlParseDocument(parser) == 0 && parser->wellFormed != 0 && builder.depth == 0 && !elements_.empty();
  xmlFreeParserCtxt(parser);
  xmlResetLastError();  // the thread's own copy of the last message
  if (!builder.error && !whole) builder.error = {0, "is not well-formed"};
  if (builder.error) {
    texts_.clear();
    elements_.clear();
    attributes_.clear();
  }
  return std::move(builder.error);
}

XmlElement XmlDocument::root() const { return elements_.empty() ? XmlElement() : XmlElement(this, 0); }

std::string_view XmlElement::name() const {
  return document_ == nullptr ? std::string_view{} : document_->elements_[index_].name.of(document_->texts_);
}
std::string_view XmlElement::space() const {
  return document_ == nullptr ? std::string_view{}
                              : std::string_view(document_->spaces_[document_->elements_[index_].space]);
}
std::string_view XmlElement::text() const {
  return document_ == nullptr ? std::string_view{} : document_->elements_[index_].text.of(document_->texts_);
}
std::uint32_t XmlElement::line() const { return document_ == nullptr ? 0 : document_->elements_[index_].line; }

bool XmlElement::is(std::string_view space_name, std::string_view local_name) const {
  return document_ != nullptr && name() == local_name && space() == space_name;
}

XmlElement XmlElement::first_child() const {
  const std::uint32_t at = document_ == nullptr ? XmlDocument::none : document_->elements_[index_].first_child;
  return at == XmlDocument::none ? XmlElement() : XmlElement(document_, at);
}
XmlElement XmlElement::next() const {
  const std::uint32_t at = document_ == nullptr ? XmlDocument::none : document_->elements_[index_].next;
  return at == XmlDocument::none ? XmlElement() : XmlElement(document_, at);
}
XmlChildren XmlElement::children() const { return XmlChildren(*this); }

XmlElement XmlElement::child(std::string_view space_name, std::string_view local_name) const {
  for (const XmlElement child : children()) {
    if (child.is(space_name, local_name)) return child;
  }
  return {};
}
XmlElement XmlElement::child(std::string_view local_name) const {
  for (const XmlElement child : children()) {
    if (child.name() == local_name) return child;
  }
  return {};
}

std::optional<std::string_view> XmlElement::attribute(std::string_view local_name) const {
  return attribute("", local_name);
}
std::optional<std::string_view> XmlElement::attribute(std::string_view space_name, std::string_view local_name) const {
  for (std::size_t n = 0; n < attribute_count(); ++n) {
    const Attribute attribute = attribute_at(n);
    if (attribute.name == local_name && attribute.space == space_name) return attribute.value;
  }
  return std::nullopt;
}
std::size_t XmlElement::attribute_count() const {
  return document_ == nullptr ? 0 : document_->elements_[index_].attribute_count;
}
XmlElement::Attribute XmlElement::attribute_at(std::size_t index) const {
  CHECK(index < attribute_count());
  const auto& attribute = document_->attributes_[document_->elements_[index_].attributes + index];
  return {document_->spaces_[attribute.space], attribute.name.of(document_->texts_),
          attribute.value.of(document_->texts_)};
}

}  // namespace parley::policy
