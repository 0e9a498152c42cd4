// tools/parleyd/users.cc - who may AUTH: digests from a file, or computed from --user at start, never secrets.
#include "tools/parleyd/users.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace parley::parleyd {
namespace {

constexpr std::size_t file_bytes_max = std::size_t{64} << 20;  // about 500,000 users with two digests each
constexpr std::size_t name_bytes_max = 255;
constexpr std::array algorithms = {core::DigestAlgorithm::md5, core::DigestAlgorithm::sha256,
                                   core::DigestAlgorithm::sha512_256};

std::size_t hex_length(core::DigestAlgorithm algorithm) { return algorithm == core::DigestAlgorithm::md5 ? 32 : 64; }

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Empty when the line is good or to be skipped.
std::string take_line(std::string_view line, std::string_view realm, UsersResult& result, std::size_t& foreign) {
  // The realm may hold colons (an IPv6 literal), the other fields can not: name from the front, the rest from the back.
  const auto first = line.find(':');
  const auto last = line.rfind(':');
  if (first == std::string_view::npos || first == 0 || last == first) return "is not NAME:REALM:ALGORITHM:HA1";
  const auto middle = line.rfind(':', last - 1);
  if (middle == std::string_view::npos || middle <= first) return "is not NAME:REALM:ALGORITHM:HA1";
  const std::string_view name = line.substr(0, first);
  const std::string_view line_realm = line.substr(first + 1, middle - first - 1);
  const std::string_view algorithm_name = line.substr(middle + 1, last - middle - 1);
  const std::string_view hex = line.substr(last + 1);
  if (name.size() > name_bytes_max) return "has a name longer than 255 bytes";
  const auto algorithm = core::parse_digest_algorithm(algorithm_name);
  if (!algorithm) return "names an algorithm that is not SHA-256, SHA-512-256 or MD5";
  if (hex.size() != hex_length(*algorithm) || !std::all_of(hex.begin(), hex.end(), is_hex)) {
    return "does not end with " + std::to_string(hex_length(*algorithm)) + " hex digits";
  }
  if (line_realm != realm) {
    ++foreign;
    return "";
  }
  std::string ha1(hex);
  std::transform(ha1.begin(), ha1.end(), ha1.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
  auto& user = result.users[std::string(name)];
  if (!user.ha1.emplace(*algorithm, std::move(ha1)).second) return "repeats a user and algorithm";
  return "";
}

}  // namespace

UsersResult parse_users(std::string_view text, std::string_view realm) {
  UsersResult result;
  std::size_t number = 0;
  std::size_t foreign = 0;
  while (!text.empty()) {
    const auto newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    // The line itself is not shown: it is as good as a password.
    if (const std::string why = take_line(line, realm, result, foreign); !why.empty()) {
      result.error = "line " + std::to_string(number) + " " + why;
      result.users.clear();
      return result;
    }
  }
  if (foreign != 0) {
    result.warnings.push_back(std::to_string(foreign) + " lines are for another realm than '" + std::string(realm) +
                              "' and not used");
  }
  return result;
}

UsersResult read_users_file(const std::string& path, std::string_view realm) {
  UsersResult failed;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    failed.error = path + ": " + std::strerror(errno);
    return failed;
  }
  struct stat about {};
  if (::fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    ::close(fd);
    failed.error = path + ": is not a file";
    return failed;
  }
  std::string text;
  std::array<char, 65536> piece{};
  ssize_t got = 0;
  while (text.size() <= file_bytes_max && (got = ::read(fd, piece.data(), piece.size())) > 0) {
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  const int error = got < 0 ? errno : 0;
  ::close(fd);
  if (error != 0) {
    failed.error = path + ": " + std::strerror(error);
  } else if (text.size() > file_bytes_max) {
    failed.error = path + ": is longer than 64 MiB";
  } else {
    UsersResult result = parse_users(text, realm);
    if (!result.error.empty()) result.error = path + ": " + result.error;
    for (std::string& warning : result.warnings) warning = path + ": " + warning;
    if ((about.st_mode & S_IROTH) != 0) result.warnings.push_back(path + ": may be read by every user of this host");
    OPENSSL_cleanse(text.data(), text.size());
    return result;
  }
  return failed;
}

Users digest_and_wipe(std::vector<std::string>& specs, const std::string& realm) {
  Users users;
  core::Digest digest;
  for (std::string& spec : specs) {
    const auto colon = spec.find(':');
    const std::string_view name = std::string_view(spec).substr(0, colon);
    const std::string_view secret = std::string_view(spec).substr(colon + 1);
    auto& user = users[std::string(name)];
    for (const auto algorithm : algorithms) {
      if (digest.available(algorithm)) user.ha1[algorithm] = digest.ha1(algorithm, name, realm, secret).view();
    }
    OPENSSL_cleanse(spec.data(), spec.size());
  }
  specs.clear();
  return users;
}

std::string merge_users(Users& into, const Users& from) {
  for (const auto& [name, user] : from) {
    if (!into.emplace(name, user).second) return "user '" + name + "' stands both in --user and in the users file";
  }
  return "";
}

std::size_t lacking(const Users& users, core::DigestAlgorithm algorithm) {
  return static_cast<std::size_t>(std::count_if(
      users.begin(), users.end(), [algorithm](const auto& entry) { return !entry.second.ha1.contains(algorithm); }));
}

}  // namespace parley::parleyd
