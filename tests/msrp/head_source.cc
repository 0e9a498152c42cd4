// tests/msrp/head_source.cc - pieces of heads, put together at random.
#include "tests/msrp/head_source.h"

namespace parley::tests {
namespace {

const std::string letters_and_digits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

}  // namespace

std::string HeadSource::run_of(const std::string& set, std::size_t from, std::size_t to) {
  std::string out;
  for (std::size_t n = from + below(to - from + 1); n > 0; --n) out += set[below(set.size())];
  return out;
}

std::string HeadSource::uri() {
  static constexpr const char* schemes[] = {"msrp", "msrps", "MSRP", "mSrPs"};
  static constexpr const char* hosts[] = {"a",
                                          "relay.example.com",
                                          "Relay.EXAMPLE.com.",
                                          "192.0.2.1",
                                          "[::1]",
                                          "[2001:db8::1:2]",
                                          "[1:2:3:4:5:6:7:8]",
                                          "[::ffff:192.0.2.1]",
                                          "[1::]",
                                          "x%41y~z_",
                                          "a!b$c,d",
                                          "[::1",
                                          "[1:2:3]",
                                          "[1:2:3:4:5:6:7::8]",
                                          "%4",
                                          ""};
  static constexpr const char* users[] = {"alice@", "a:b@", "a;b=c:1@", "%20@", "@", "a:1;tcp@"};
  static constexpr const char* ports[] = {":1", ":2855", ":65535", ":0", ":00080", ":65536", ":", ":99999", ":123456"};
  static constexpr const char* transports[] = {";tcp", ";ws", ";TCP", ";tcp;x",  ";tcp;a=b;c",
                                               "",     ";",   ";t-p", ";tcp;=b", ";tcp;a="};
  std::string out = any_of(schemes) + "://";
  if (one_in(4)) out += any_of(users);
  out += hosts[one_in(80) ? 11 + below(5) : below(11)];
  if (!one_in(3)) out += ports[one_in(80) ? 5 + below(4) : below(5)];
  if (!one_in(4)) out += "/" + run_of(letters_and_digits + "-._~+=/", one_in(100) ? 0 : 1, one_in(60) ? 560 : 40);
  return out + transports[one_in(100) ? 5 + below(5) : below(5)];
}

std::string HeadSource::path() {
  std::string out = uri();
  for (std::size_t n = one_in(20) ? below(10) : below(3); n > 0; --n) out += " " + uri();
  return out;
}

std::string HeadSource::header() {
  static constexpr const char* names[] = {"Message-ID",
                                          "Byte-Range",
                                          "Success-Report",
                                          "Failure-Report",
                                          "Status",
                                          "Expires",
                                          "Min-Expires",
                                          "Max-Expires",
                                          "Use-Path",
                                          "Authorization",
                                          "Authentication-Info",
                                          "Use-Nickname",
                                          "WWW-Authenticate",
                                          "Content-ID",
                                          "content-disposition",
                                          "X-Other",
                                          "X",
                                          "message-id",
                                          "BYTE-RANGE",
                                          "Message-IX",
                                          "Byte-Rangs",
                                          "Contenttype",
                                          "To-Path"};
  static constexpr const char* ranges[] = {"1-5/5",
                                           "1-*/*",
                                           "0-0/0",
                                           "9223372036854775807-1/1",
                                           "9223372036854775808-1/1",
                                           "1-9223372036854775808/*",
                                           "00001-00002/3",
                                           "1-2",
                                           "*-1/1",
                                           "1-1/",
                                           "a",
                                           "",
                                           "1-1/1 \t"};
  static constexpr const char* values[] = {
      "yes",     "no",      "partial",    "YES",         "Partial ",
      "",        " ",       "000 200 OK", "3600",        "\xc3\xa4 \t x",
      "abc\x01", "abc\x7f", "a b",        "12339sdqwer", "Digest realm=\"x\", nonce=\"y\""};
  const std::string name = one_in(40) ? "To-Path" : names[below(22)];
  std::string out = name + ":" + (one_in(60) ? "" : one_in(20) ? " \t " : " ");
  if ((name[0] | 0x20) == 'b' && !one_in(10)) {
    out += ranges[one_in(4) ? below(13) : below(3)];
  } else {
    out += one_in(15) ? run_of(letters_and_digits, 0, 200) : values[one_in(20) ? below(15) : below(8)];
  }
  return out + (one_in(100) ? "\n" : "\r\n");
}

std::string HeadSource::damaged(std::string bytes) {
  static const std::string splinters = std::string("\r\n -:;@/[]%+$#\t\"0aZ\x7f\x80\xff") + '\0';
  for (std::size_t n = 1 + below(3); n > 0 && !bytes.empty(); --n) {
    const std::size_t at = below(bytes.size());
    switch (below(5)) {
      case 0: bytes[at] = splinters[below(splinters.size())]; break;
      case 1: bytes.insert(at, 1, splinters[below(splinters.size())]); break;
      case 2: bytes.erase(at, 1 + below(4)); break;
      case 3: bytes.resize(at); break;
      default: bytes.insert(at, bytes.substr(below(bytes.size()), below(40))); break;
    }
  }
  return bytes;
}

std::string HeadSource::head() {
  static constexpr const char* methods[] = {
      "SEND", "SEND", "SEND", "REPORT", "AUTH", "NICKNAME", "OTHER", "200 OK", "200", "481 no \xe2\x82\xac", "403 "};
  const std::string tid = run_of(letters_and_digits, 1, 1) + run_of(letters_and_digits + ".-+%=", one_in(20) ? 0 : 3, one_in(20) ? 34 : 31);
  std::string out = "MSRP " + tid + " " + any_of(methods) + "\r\n";
  out += (one_in(10) ? "TO-path: " : "To-Path: ") + path() + "\r\n";
  out += (one_in(10) ? "FROM-path: " : "From-Path: ") + path() + "\r\n";
  for (std::size_t n = one_in(30) ? below(14) : below(5); n > 0; --n) out += header();
  if (one_in(2)) {
    out += "Content-Type: text/plain\r\n";
    if (!one_in(20)) out += "\r\nbody";
  }
  if (!out.ends_with("body")) out += "-------" + tid + "+$#$$"[below(5)] + "\r\n";
  if (one_in(5)) out += "MSRP next";
  return one_in(3) ? damaged(out) : out;
}

}  // namespace parley::tests
