// tools/parley/disk_files.cc - see disk_files.h.
#include "tools/parley/disk_files.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

namespace parley::client {

namespace {

constexpr std::size_t read_bytes = 256 * 1024;
constexpr int names_max = 1000;              // NAME, 1-NAME and so on that are tried
constexpr std::size_t name_bytes_max = 200;  // below what file systems allow, with room for ".part" and a number

class FileSource final : public ByteSource {
 public:
  FileSource(int fd, std::uint64_t size) : fd_(fd), size_(size) {}
  ~FileSource() override { ::close(fd_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] bool read(std::uint64_t offset, std::span<char> out) const override {
    while (!out.empty()) {
      const ssize_t got = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;  // it has become shorter
      offset += static_cast<std::uint64_t>(got);
      out = out.subspan(static_cast<std::size_t>(got));
    }
    return true;
  }

 private:
  int fd_;
  std::uint64_t size_;
};

// As RFC 5547 section 6 writes it; empty when the file cannot be read.
std::string sha1_of(int fd) {
  ::EVP_MD_CTX* const context = ::EVP_MD_CTX_new();
  std::string out;
  if (context != nullptr && ::EVP_DigestInit_ex(context, ::EVP_sha1(), nullptr) == 1) {
    std::vector<char> block(read_bytes);
    off_t at = 0;
    ssize_t got = 0;
    while ((got = ::pread(fd, block.data(), block.size(), at)) > 0) {
      (void)::EVP_DigestUpdate(context, block.data(), static_cast<std::size_t>(got));
      at += got;
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (got == 0 && ::EVP_DigestFinal_ex(context, digest.data(), &size) == 1) {
      char text[4];
      for (unsigned i = 0; i < size; ++i) {
        std::snprintf(text, sizeof text, "%s%02X", i == 0 ? "" : ":", digest[i]);
        out += text;
      }
    }
  }
  ::EVP_MD_CTX_free(context);
  return out;
}

std::string type_of(const std::string& name) {
  struct Known {
    std::string_view ending;
    std::string_view type;
  };
  constexpr Known known[] = {{".txt", "text/plain"}, {".jpg", "image/jpeg"},        {".jpeg", "image/jpeg"},
                             {".png", "image/png"},  {".gif", "image/gif"},         {".pdf", "application/pdf"},
                             {".html", "text/html"}, {".json", "application/json"}, {".xml", "application/xml"},
                             {".mp4", "video/mp4"},  {".mp3", "audio/mpeg"}};
  for (const Known& one : known) {
    if (name.ends_with(one.ending)) return std::string(one.type);
  }
  return "application/octet-stream";
}

// False, with errno: EEXIST where something of that name is there. What another program makes meanwhile is kept, too.
bool rename_new(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  // A file system, or a kernel, that does not know how.
  if (::link(from.c_str(), to.c_str()) == 0) {
    (void)::unlink(from.c_str());
    return true;
  }
  if (errno == EEXIST) return false;
  // Nor how to give a file two names.
  const int made = ::open(to.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (made < 0) return false;
  ::close(made);
  return ::rename(from.c_str(), to.c_str()) == 0;
}

}  // namespace

std::string safe_name(std::string_view name) {
  if (const std::size_t slash = name.find_last_of("/\\"); slash != std::string_view::npos)
    name.remove_prefix(slash + 1);
  std::string out;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) >= ' ' && c != 0x7f && out.size() < name_bytes_max) out += c;
  }
  while (!out.empty() && out.front() == '.') out.erase(0, 1);  // no hidden ones
  return out.empty() ? "file" : out;
}

OpenedFile open_file(const std::string& path, const std::string& type) {
  OpenedFile file;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat facts {};
  if (fd < 0 || ::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    file.error = path + ": " + (fd < 0 ? std::strerror(errno) : "no file");
    if (fd >= 0) ::close(fd);
    return file;
  }
  file.offer.name = safe_name(path);
  file.offer.type = type.empty() ? type_of(file.offer.name) : type;
  file.offer.size = static_cast<std::uint64_t>(facts.st_size);
  file.offer.sha1 = sha1_of(fd);
  file.source = std::make_shared<FileSource>(fd, file.offer.size);
  return file;
}

DiskFiles::~DiskFiles() {
  for (const auto& [session, file] : files_) ::close(file.fd);
}

std::uint16_t DiskFiles::begin(std::uint32_t session, const FileOffer& offer) {
  if (directory_.empty()) return no_place;
  if (files_.contains(session)) return 480;
  const std::string name = safe_name(offer.name);
  for (int i = 0; i < names_max; ++i) {
    const std::string path = path_of(name, i);
    if (::access(path.c_str(), F_OK) == 0) continue;
    const int fd = ::open((path + ".part").c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) return 480;
    files_[session] = {.fd = fd, .name = name, .number = i, .offer = offer};
    return 0;
  }
  return 480;
}

std::string DiskFiles::path_of(const std::string& name, int number) const {
  return directory_ + "/" + (number == 0 ? "" : std::to_string(number) + "-") + name;
}

bool DiskFiles::write(std::uint32_t session, std::uint64_t start, std::string_view bytes) {
  const auto found = files_.find(session);
  if (found == files_.end() || start == 0) return false;
  off_t at = static_cast<off_t>(start - 1);
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(found->second.fd, bytes.data(), bytes.size(), at);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += put;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

FileStore::Result DiskFiles::end(std::uint32_t session, bool whole) {
  Result result;
  const auto found = files_.find(session);
  if (found == files_.end()) return result;
  File file = std::move(found->second);
  files_.erase(found);
  struct stat facts {};
  (void)::fstat(file.fd, &facts);
  const std::string part = path_of(file.name, file.number) + ".part";
  sip::Sha1 wanted{};
  sip::Sha1 got{};
  if (!whole) {
    result.why = "cut off";
  } else if (file.offer.size != 0 && static_cast<std::uint64_t>(facts.st_size) != file.offer.size) {
    result.why = "another size than announced";
  } else if (!file.offer.sha1.empty() && sip::decode_file_hash(file.offer.sha1, wanted) &&
             (!sip::decode_file_hash(sha1_of(file.fd), got) || got != wanted)) {
    result.why = "another hash than announced";
  } else {
    do {
      result.path = path_of(file.name, file.number);
      result.good = rename_new(part, result.path);
    } while (!result.good && errno == EEXIST && ++file.number < names_max);
    if (!result.good) result.why = std::strerror(errno);
  }
  ::close(file.fd);
  if (result.good) return result;
  result.path = part;
  if (session == of_message) {  // it comes again, whole
    (void)::unlink(part.c_str());
    result.path.clear();
  }
  return result;
}

void DiskFiles::remove(const std::string& path) { (void)::unlink(path.c_str()); }

}  // namespace parley::client
