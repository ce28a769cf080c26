// What the warps of a block do: -DCOUNT_WARPS on top of the checked build (checked.h), for tutorials/puzzles.
//
// 32 threads of a block in a row, a warp, execute one instruction at a time; a lane is a thread in its warp. The lanes
// that come to the same access of the same line, for the k-th time since the last barrier, make it together: a *step*.
// (A GPU brings lanes together again where their paths meet; k counts the same where a path has no gaps.) Of a step
//
//   lanes      take part, and the others wait: the warp has diverged, or lanes have nothing to do
//   sectors    of 32 bytes are touched in global memory
//   conflicts  delay it in shared memory: word i lies in bank i % 32, and a bank delivers one word in a turn. So many
//              further turns are needed
//
// It also finds races in global memory, where no barrier stands between blocks, and says who wrote a cell last.

#pragma once

#include <unistd.h>

#include <tuple>
#include <unordered_map>

namespace emulator {

struct Line {  // tutorials/puzzles/running.py reads it, and Warps
    long long line, loads, stores, sectors, shared, steps, conflicts, most;
};

struct Warps {
    long long accesses, limit;           // and barriers, of all threads; above the limit the process ends
    long long most;                      // accesses of the thread that made most
    long long shared_bytes;              // of the shared arrays that were used
    long long line, block[3], thread[3]; // of the last access
    void* watched;                       // a cell of global memory, and who wrote it last
    long long writer_line, writer_block[3], writer_thread[3];
    long long count;                     // of lines
    Line lines[256];
};

const int TOO_LONG = 97;  // the exit code at the limit

static Warps* warps;

const int ENOUGH = 1000;  // complaints

// An access, a barrier or a complaint: a kernel that never ends makes one of them again and again.
inline void counted() {
    if (++warps->accesses > warps->limit || report->problems > ENOUGH) _exit(TOO_LONG);
}

inline void place_of_thread(long long* block, long long* thread) {
    const unsigned b[] = {blockIdx.x, blockIdx.y, blockIdx.z}, t[] = {threadIdx.x, threadIdx.y, threadIdx.z};
    std::copy(b, b + 3, block);
    std::copy(t, t + 3, thread);
}

inline const char* other_line(int line) {
    static char text[32];
    snprintf(text, sizeof text, " (line %d)", line);
    return text;
}

inline Line& counts_of(int line) {
    long long i = 0;
    while (i < warps->count && warps->lines[i].line != line) ++i;
    if (i == warps->count && i < 255) warps->lines[warps->count++].line = line;
    return warps->lines[i];
}

// ------------------------------------------------------------------------------------------------ steps

struct Access {
    int line;
    const char* array;
    bool shared, writes;
    bool operator<(const Access& b) const {
        return std::tie(line, array, writes) < std::tie(b.line, b.array, b.writes);
    }
};

typedef std::pair<Access, int> Step;  // and how many times before the lanes had come there

static std::vector<std::map<Access, int>> visits;                    // of each thread since the last barrier
static std::vector<std::map<Step, std::vector<long long>>> touches;  // of each warp: the sectors or words of its steps
static std::vector<std::map<int, long long>> made;                   // by each thread of the block: line, accesses

inline void take_part(Access access, long long first, long long last) {
    auto& units = touches[self / 32][{access, visits[self][access]++}];
    for (long long unit = first; unit <= last; ++unit) units.push_back(unit);
    Line& line = counts_of(access.line);
    line.most = std::max(line.most, ++made[self][access.line]);
    warps->line = access.line;
    place_of_thread(warps->block, warps->thread);
    counted();
}

inline void end_step(const Access& access, std::vector<long long>& units) {
    Line& line = counts_of(access.line);
    line.steps += 1;
    std::sort(units.begin(), units.end());
    units.erase(std::unique(units.begin(), units.end()), units.end());
    if (!access.shared) {
        line.sectors += units.size();
        return;
    }
    long long words[32] = {}, turns = 0;  // of each bank
    for (long long word : units) turns = std::max(turns, ++words[word % 32]);
    line.conflicts += turns - 1;
}

static std::map<const char*, size_t> shared_arrays;  // those that were used, and their bytes

inline void warps_block_begins() {
    unsigned threads = blockDim.x * blockDim.y * blockDim.z;
    visits.assign(threads, {});
    touches.assign((threads + 31) / 32, {});
    made.assign(threads, {});
}

inline void warps_epoch_ends() {
    for (auto& warp : touches) {
        for (auto& [step, units] : warp) end_step(step.first, units);
        warp.clear();
    }
    for (auto& thread : visits) thread.clear();
    counted();
}

inline void warps_block_ends() {
    for (auto& thread : made) {
        long long accesses = 0;
        for (auto& line : thread) accesses += line.second;
        warps->most = std::max(warps->most, accesses);
    }
    warps->shared_bytes = 0;
    for (auto& array : shared_arrays) warps->shared_bytes += array.second;
}

// ------------------------------------------------------------------------------------------------ accesses

inline void shared_accessed(const char* name, const Place& place, bool writes, size_t bytes, size_t whole) {
    shared_arrays[name] = whole;
    ++counts_of(place.line).shared;
    long long first = place.i * bytes / 4, last = ((place.i + 1) * bytes - 1) / 4;  // words
    take_part({place.line, name, true, writes}, first, last);
}

struct Touched {  // a cell of global memory that a kernel may write
    struct By {
        long long epoch = 0, block = 0;
        unsigned thread = 0;
        int line = 0;
    } writer, reader, second;
};

static std::unordered_map<const void*, Touched> touched_cells;

// Whether an access of this thread may come before or after that one, as it likes.
inline bool races(const Touched::By& by) {
    return by.epoch && (by.epoch < block_began || (by.epoch == epoch && by.thread != self));
}

inline void global_race(const char* name, long long i, const Place& place, bool writes, const Touched::By& by,
                        const char* did) {
    const char* does = writes ? "writes" : "reads";
    if (by.epoch < block_began)
        complain("race", place.file, place.line, "race: %s %s[%lld], which thread %u of block %lld %s (line %d)", does,
                 name, i, by.thread, by.block, did, by.line);
    else
        complain("race", place.file, place.line,
                 "race: %s %s[%lld], which thread %u %s, with no barrier between (line %d)", does, name, i, by.thread,
                 did, by.line);
}

inline void global_accessed(const char* name, long long i, const void* cell, size_t bytes, const Place& place,
                            bool writes, bool constant) {
    take_part({place.line, name, false, writes}, (intptr_t)cell / 32, ((intptr_t)cell + bytes - 1) / 32);
    Line& line = counts_of(place.line);
    ++(writes ? line.stores : line.loads);
    if (constant) return;
    Touched& cell_of = touched_cells[cell];
    Touched::By me = {epoch, blockIdx.x + (long long)gridDim.x * (blockIdx.y + (long long)gridDim.y * blockIdx.z), self,
                      place.line};
    if (races(cell_of.writer))
        global_race(name, i, place, writes, cell_of.writer, "wrote");
    else if (writes && races(cell_of.reader))
        global_race(name, i, place, writes, cell_of.reader, "read");
    else if (writes && races(cell_of.second))
        global_race(name, i, place, writes, cell_of.second, "read");
    if (!writes) {
        if (cell_of.reader.epoch != epoch)
            cell_of.reader = cell_of.second = me;
        else if (cell_of.reader.thread != self)
            cell_of.second = me;
        return;
    }
    cell_of.writer = me;
    if (cell == warps->watched) {
        warps->writer_line = place.line;
        place_of_thread(warps->writer_block, warps->writer_thread);
    }
}

}  // namespace emulator

extern "C" void watch_warps(void* warps) {
    emulator::warps = (emulator::Warps*)warps;
    emulator::touched_cells.clear();
}
