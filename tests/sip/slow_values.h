// tests/sip/slow_values.h - reads URIs, Via and address values, and parameters a second time, character by character:
// slow, and with nothing in common with the machines it is compared with.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace parley::tests {

struct SlowSipUri {
  std::string scheme;  // lower case
  std::string user;    // tel and other schemes: as sip::Uri has it
  std::optional<std::string> password;
  std::string host;
  std::optional<int> port;
  std::optional<std::string> parameters;
  std::optional<std::string> headers;
};
// Nothing when `text` is not exactly one URI.
std::optional<SlowSipUri> slow_sip_uri(const std::string& text);

struct SlowParam {
  std::string name;
  std::optional<std::string> value;  // quotes included
};

struct SlowVia {
  std::string protocol;
  std::string version;
  std::string transport;
  std::string host;
  std::optional<int> port;
  std::vector<SlowParam> params;
  std::string rest;  // behind the comma
};
// The first element of a value. Nothing when it is none, or its comma is followed by nothing.
std::optional<SlowVia> slow_via(const std::string& value);

struct SlowAddress {
  bool star = false;
  std::string display;
  std::string uri;
  std::vector<SlowParam> params;
  std::string rest;
};
std::optional<SlowAddress> slow_address(const std::string& value);

}  // namespace parley::tests
