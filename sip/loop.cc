// sip/loop.cc - see loop.h.
#include "sip/loop.h"

#include <array>
#include <cstring>
#include <optional>

#include "core/text.h"
#include "sip/branch.h"
#include "sip/cseq.h"
#include "sip/params.h"
#include "sip/via.h"

namespace parley::sip {

namespace {

constexpr std::array routing_headers = {
    HeaderId::route,          HeaderId::proxy_require,  HeaderId::proxy_authorization,
    HeaderId::accept_contact, HeaderId::reject_contact, HeaderId::request_disposition,
    HeaderId::call_id,
};

// Eight bytes at a time through the finaliser of MurmurHash3. Lengths go in, so that a part cannot lend its end to the
// next one.
class Hash {
 public:
  explicit Hash(std::uint64_t seed) : state_(seed) {}
  void add(std::uint64_t word) {
    state_ ^= word;
    state_ ^= state_ >> 33;
    state_ *= 0xff51afd7ed558ccdULL;
    state_ ^= state_ >> 33;
    state_ *= 0xc4ceb9fe1a85ec53ULL;
    state_ ^= state_ >> 33;
    state_ += 0x9e3779b97f4a7c15ULL;
  }
  void add(std::string_view text) {
    add(text.size());
    while (!text.empty()) {
      const std::size_t size = text.size() < 8 ? text.size() : 8;
      std::uint64_t word = 0;
      std::memcpy(&word, text.data(), size);
      add(word);
      text.remove_prefix(size);
    }
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_;
};

bool is_own(const Via& via, std::span<const SentBy> own) {
  const std::uint16_t port = via.has_port ? via.port : std::uint16_t{0};
  for (const SentBy& name : own) {
    if (name.port == port && core::equal_ignore_case(name.host, via.host)) return true;
  }
  return false;
}

}  // namespace

std::uint64_t loop_hash(std::uint64_t seed, const Head& request, std::string_view bytes) {
  Hash hash(seed);
  hash.add(request.uri.of(bytes));
  for (const HeaderId id : routing_headers) {
    std::uint64_t count = 0;
    for (const Header* header = request.first(id); header != nullptr; header = request.next(*header)) {
      hash.add(header->value.of(bytes));
      ++count;
    }
    hash.add(count);
  }
  CSeq cseq;
  if (parse_cseq(request.value(HeaderId::cseq, bytes), cseq)) hash.add(cseq.number);
  return hash.value() != 0 ? hash.value() : 1;
}

Passage check_loop(const Head& request, std::string_view bytes, std::uint64_t hash, std::span<const SentBy> own) {
  Passage passage = Passage::first;
  for (const Header* header = request.first(HeaderId::via); header != nullptr; header = request.next(*header)) {
    std::string_view rest = header->value.of(bytes);
    for (Via via; !rest.empty() && take_via(rest, via);) {
      if (!is_own(via, own)) continue;
      passage = Passage::spiral;
      const std::optional<BranchName> branch = read_branch(param_value(via.params, "branch"));
      if (branch && branch->loop_hash == hash) return Passage::loop;
    }
  }
  return passage;
}

}  // namespace parley::sip
