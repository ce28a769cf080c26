// The driver: what is asked of the device without the runtime, modules of compiled kernels, launches.
//
// A module's image is the text "FAKE name of a library": sitecustomize.py compiled it with g++ into $FAKE_KERNELS.

using namespace fake;

namespace fake {

struct Function {
    void (*run)(const unsigned* grid, const unsigned* block, long long first, long long last, void** arguments);
    std::vector<int> sizes;  // of the parameters, in bytes
    std::string name;
    unsigned most_shared = 49152;
};

}  // namespace fake

CUresult cuInit(unsigned) { return without == "device" ? CUDA_ERROR_NO_DEVICE : CUDA_SUCCESS; }

CUresult cuDriverGetVersion(int* version) {
    *version = DRIVER_VERSION;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int* count) {
    *count = without == "device" ? 0 : devices;
    return *count ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
    *device = ordinal;
    return ordinal < 0 || ordinal >= devices || without == "device" ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char* name, int size, CUdevice) {
    snprintf(name, size, "Fake H200");
    return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem(size_t* bytes, CUdevice) {
    *bytes = capacity;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device) {
    return CUresult(cudaDeviceGetAttribute(value, cudaDeviceAttr(attribute), device));
}

CUresult cuGetErrorName(CUresult error, const char** text) {
    static std::string name;
    name = "CUDA_ERROR_" + std::to_string(error);
    *text = name.c_str();
    return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult, const char** text) {
    *text = "an error of the fake driver";
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext* context) {
    *context = (CUcontext)1;
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext) { return CUDA_SUCCESS; }

CUresult cuCtxGetDevice(CUdevice* device) {
    *device = current_device;
    return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    Call call(__func__);
    const char* text = (const char*)image;
    if (strncmp(text, "FAKE ", 5)) {
        problem("cuModuleLoadData of an image that sitecustomize.py did not make");
        return CUDA_ERROR_INVALID_IMAGE;
    }
    *module = (CUmodule)dlopen((setting("FAKE_KERNELS") + "/" + (text + 5)).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (*module) return CUDA_SUCCESS;
    problem(dlerror());
    return CUDA_ERROR_INVALID_IMAGE;
}

CUresult cuModuleUnload(CUmodule) { return CUDA_SUCCESS; }

CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    Call call(__func__);
    auto symbol = [&](const std::string& prefix) { return dlsym(module, (prefix + name).c_str()); };
    auto run = (decltype(Function::run))symbol("run_");
    if (!run) return CUDA_ERROR_NOT_FOUND;
    const int *sizes = *(const int**)symbol("sizes_"), number = *(const int*)symbol("count_");
    *function = (CUfunction) new Function{run, std::vector<int>(sizes, sizes + number), name};
    return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int* value, CUfunction_attribute, CUfunction) {
    *value = 0;
    return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_SUCCESS;
    if (value > 232448) return CUDA_ERROR_INVALID_VALUE;
    ((Function*)function)->most_shared = value;
    return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                        unsigned shared, CUstream stream, void** arguments, void**) {
    Call call(__func__);
    const Function* f = (Function*)handle;
    auto three = [](unsigned x, unsigned y, unsigned z) {
        return "(" + std::to_string(x) + ", " + std::to_string(y) + ", " + std::to_string(z) + ")";
    };
    const bool grid = gx && gy && gz && gx <= 2147483647u && gy <= 65535 && gz <= 65535;
    const bool block = bx && by && bz && bx <= 1024 && by <= 1024 && bz <= 64 && (uint64_t)bx * by * bz <= 1024;
    if (!grid || !block || shared > f->most_shared) {
        problem("launch of " + f->name + " with grid " + three(gx, gy, gz) + ", block " + three(bx, by, bz) + " and " +
                std::to_string(shared) + " bytes of shared memory: more than CUDA's limits");
        return CUDA_ERROR_INVALID_VALUE;
    }
    count("launches");
    count("kernel:" + f->name);
    if (dry) return CUDA_SUCCESS;
    auto held = std::make_shared<std::vector<std::vector<char>>>();
    for (size_t i = 0; i < f->sizes.size(); ++i)
        held->emplace_back((char*)arguments[i], (char*)arguments[i] + f->sizes[i]);
    push(at(stream), [=] {
        const unsigned dimensions[] = {gx, gy, gz, bx, by, bz};
        std::vector<void*> pointers;
        for (auto& argument : *held) pointers.push_back(argument.data());
        running = f->name.c_str();
        f->run(dimensions, dimensions + 3, 0, (long long)gx * gy * gz, pointers.data());
        running = nullptr;
    });
    return CUDA_SUCCESS;
}
