// tools/parley/request.h - a SIP request or response of the client before it has a way: what it says, without Via,
// Max-Forwards and what names its dialog.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sip/head.h"
#include "sip/writer.h"

namespace parley::client {

struct Line {
  sip::HeaderId id = sip::HeaderId::other;
  std::string value{};
  std::string name{};  // of `other`
};

// Header lines in their order, and a body.
struct Lines {
  std::vector<Line> list{};
  std::string content_type{};
  std::string body{};

  void add(sip::HeaderId id, std::string_view value) { list.push_back({id, std::string(value)}); }
  void add(std::string_view name, std::string_view value) {
    list.push_back({sip::HeaderId::other, std::string(value), std::string(name)});
  }
  // Views into this.
  [[nodiscard]] std::vector<sip::HeaderText> headers() const {
    std::vector<sip::HeaderText> texts{};
    for (const Line& line : list) texts.push_back({.id = line.id, .value = line.value, .name = line.name});
    if (!body.empty()) texts.push_back({.id = sip::HeaderId::content_type, .value = content_type});
    return texts;
  }
};

struct Request {
  sip::Method method = sip::Method::other;
  std::string name{};  // of the method
  std::string uri{};
  std::string from{};  // header value without tag
  std::string to{};    // header value without tag
  Lines lines{};
};

}  // namespace parley::client
