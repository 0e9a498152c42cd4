// policy/system_message.cc - see system_message.h.
#include "policy/system_message.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "policy/xml_reader.h"
#include "policy/xml_writer.h"
#include "sip/content_type.h"
#include "sip/multipart.h"
#include "sip/value.h"

namespace parley::policy {

using sip::HeaderId;

namespace {

constexpr std::size_t answer_bytes_max = 4096;
constexpr unsigned nesting_max = 3;

// "5:hello"
void put_piece(std::string& out, std::string_view piece) {
  out.append(std::to_string(piece.size())).append(":").append(piece);
}

struct Pieces {
  std::string_view rest;
  bool good = true;
  std::string_view next() {
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
    const std::size_t digits = static_cast<std::size_t>(end - rest.data());
    if (error != std::errc{} || digits >= rest.size() || rest[digits] != ':' || size > rest.size() - digits - 1) {
      good = false;
      rest = {};
      return {};
    }
    const std::string_view piece = rest.substr(digits + 1, size);
    rest.remove_prefix(digits + 1 + size);
    return piece;
  }
};

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

SystemAnswerError read_xml(std::string_view body, SystemAnswer& answer) {
  XmlDocument document;
  if (document.parse(body, {.bytes_max = answer_bytes_max, .elements_max = 16, .depth_max = 4})) return SystemAnswerError::body;
  const XmlElement root = document.root();
  if (root.name() != "system-message-response") return SystemAnswerError::body;
  const auto id = root.attribute("id");
  if (!id || id->empty()) return SystemAnswerError::body;
  answer.id = *id;
  answer.option = root.attribute("option").value_or(std::string_view{});
  return SystemAnswerError::none;
}

// Up to the blank line, and takes it off.
std::string_view take_lines(std::string_view& body) {
  const std::size_t end = body.find("\r\n\r\n");
  const std::string_view lines = body.substr(0, end);
  body.remove_prefix(end == std::string_view::npos ? body.size() : end + 4);
  return lines;
}

std::string_view value_in(std::string_view lines, std::string_view name) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !core::equal_ignore_case(line.substr(0, colon), name)) continue;
    const std::size_t start = line.find_first_not_of(' ', colon + 1);
    return start == std::string_view::npos ? std::string_view{} : line.substr(start);
  }
  return {};
}

SystemAnswerError read_body(std::string_view content_type, std::string_view body, unsigned depth, SystemAnswer& answer) {
  sip::ContentType type;
  if (depth == nesting_max || !sip::parse_content_type(content_type, type)) return SystemAnswerError::type;
  if (sip::is_type(type, "application", system_message_type.substr(12))) return read_xml(body, answer);
  if (sip::is_type(type, "message", "cpim")) {
    (void)take_lines(body);
    const std::string_view lines = take_lines(body);
    return read_body(value_in(lines, "Content-Type"), body, depth + 1, answer);
  }
  sip::Multipart parts;
  if (!core::equal_ignore_case(type.type, "multipart") ||
      sip::parse_multipart(body, sip::find_param(type.parameters, "boundary"), parts) != sip::MultipartError::none) {
    return SystemAnswerError::type;
  }
  for (std::size_t i = 0; i < parts.count; ++i) {
    const sip::Part& part = parts.parts[i];
    const SystemAnswerError error = read_body(part.content_type.of(body), part.body.of(body), depth + 1, answer);
    if (error != SystemAnswerError::type) return error;
  }
  return SystemAnswerError::type;
}

}  // namespace

std::string why_no_order(const SystemMessageOrder& order) {
  if (order.text.empty()) return "there is no text";
  if (order.text.size() > system_text_bytes_max) return "the text has more than " + std::to_string(system_text_bytes_max) + " bytes";
  if (order.options.size() > system_options_max) return "more than " + std::to_string(system_options_max) + " options";
  if (!order.language.empty() && !is_token(order.language)) return "the language is no language tag";
  if (order.answer_within_s > system_answer_within_max_s) return "an answer is demanded within a year at most";
  if (order.answer_within_s != 0 && order.options.empty()) return "an answer is demanded, but there are no options";
  for (std::size_t i = 0; i < order.options.size(); ++i) {
    const SystemMessageOption& option = order.options[i];
    if (!is_token(option.id) || option.id.size() > system_option_id_bytes_max) {
      return "the id of an option is 1 to " + std::to_string(system_option_id_bytes_max) + " of a-z A-Z 0-9 - _ .";
    }
    if (option.text.empty() || option.text.size() > system_option_bytes_max) {
      return "the text of an option has 1 to " + std::to_string(system_option_bytes_max) + " bytes";
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (order.options[j].id == option.id) return "two options have the id " + option.id;
    }
  }
  return {};
}

std::string put_options(const std::vector<SystemMessageOption>& options) {
  std::string out;
  for (const SystemMessageOption& option : options) {
    put_piece(out, option.id);
    put_piece(out, option.text);
  }
  return out;
}

std::optional<std::vector<SystemMessageOption>> read_options(std::string_view text) {
  std::vector<SystemMessageOption> options;
  for (Pieces pieces{text}; !pieces.rest.empty();) {
    SystemMessageOption option;
    option.id = pieces.next();
    option.text = pieces.next();
    if (!pieces.good) return std::nullopt;
    options.push_back(std::move(option));
  }
  return options;
}

std::string put_order(const SystemMessageOrder& order) {
  std::string out;
  put_piece(out, order.user);
  put_piece(out, order.text);
  put_piece(out, order.language);
  put_piece(out, std::to_string(order.answer_within_s));
  return out + put_options(order.options);
}

std::optional<SystemMessageOrder> read_order(std::string_view text) {
  Pieces pieces{text};
  SystemMessageOrder order;
  order.user = pieces.next();
  order.text = pieces.next();
  order.language = pieces.next();
  const std::string_view within = pieces.next();
  const auto [end, error] = std::from_chars(within.data(), within.data() + within.size(), order.answer_within_s);
  if (!pieces.good || error != std::errc{} || end != within.data() + within.size()) return std::nullopt;
  auto options = read_options(pieces.rest);
  if (!options) return std::nullopt;
  order.options = std::move(*options);
  return order;
}

SystemMessageBody system_message_body(const SystemMessageOrder& order, std::string_view id, std::string_view boundary) {
  SystemMessageBody out;
  out.type.assign("multipart/alternative;boundary=").append(boundary);
  std::string& body = out.body;
  body.append("--").append(boundary).append("\r\nContent-Type: text/plain;charset=UTF-8\r\n");
  if (!order.language.empty()) body.append("Content-Language: ").append(order.language).append("\r\n");
  body.append("\r\n").append(order.text);
  for (const SystemMessageOption& option : order.options) {
    body.append("\r\n").append(option.id).append(": ").append(option.text);
  }
  body.append("\r\n--").append(boundary).append("\r\nContent-Type: ").append(system_message_type).append("\r\n\r\n");
  {
    XmlWriter xml(body);
    const bool demanded = order.answer_within_s != 0;
    xml.open("system-message").attribute("id", id).boolean("response-required", demanded);
    if (demanded) xml.attribute("timeout", std::uint64_t{order.answer_within_s});
    xml.open("text");
    if (!order.language.empty()) xml.attribute("xml:lang", order.language);
    xml.text(order.text).close();
    for (const SystemMessageOption& option : order.options) {
      xml.open("option").attribute("id", option.id).text(option.text).close();
    }
  }
  body.append("\r\n--").append(boundary).append("--\r\n");
  return out;
}

SystemAnswerError read_system_answer(const sip::Received& request, SystemAnswer& answer) {
  return read_body(request.head.value(HeaderId::content_type, request.bytes), request.body, 0, answer);
}

}  // namespace parley::policy
