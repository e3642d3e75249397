// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.iommufd.Iommufd;
import io.vfio4j.ffm.kvm.Kvm;
import io.vfio4j.ffm.kvm.KvmFd;
import io.vfio4j.ffm.kvm.VcpuFd;
import io.vfio4j.ffm.kvm.VmFd;
import io.vfio4j.ffm.mm.Pagemap;
import io.vfio4j.ffm.mm.PagemapFd;
import io.vfio4j.ffm.mm.UserfaultFd;
import io.vfio4j.ffm.mm.Userfaultfd;
import io.vfio4j.ffm.vfio.ContainerFd;
import io.vfio4j.ffm.vfio.DataFd;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.GroupFd;
import io.vfio4j.ffm.vfio.Vfio;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Each ioctl is a method of the type of fd that understands it, and of no other. */
class FdTypesTest {
    private static final int FD = 17;

    /** The types of fd, each with the begin of its ioctls' names and the class that has their numbers. */
    private static final List<FdType> TYPES = List.of(
            new FdType(ContainerFd.class, Vfio.class, List.of("VFIO_", "VFIO_IOMMU_")),
            new FdType(GroupFd.class, Vfio.class, List.of("VFIO_GROUP_")),
            new FdType(DeviceFd.class, Vfio.class, List.of("VFIO_DEVICE_")),
            new FdType(DataFd.class, Vfio.class, List.of("VFIO_MIG_")),
            new FdType(IommuFd.class, Iommufd.class, List.of("IOMMU_")),
            new FdType(KvmFd.class, Kvm.class, List.of("KVM_")),
            new FdType(VmFd.class, Kvm.class, List.of("KVM_")),
            new FdType(VcpuFd.class, Kvm.class, List.of("KVM_")),
            new FdType(UserfaultFd.class, Userfaultfd.class, List.of("UFFDIO_")),
            new FdType(PagemapFd.class, Pagemap.class, List.of("PAGEMAP_")));

    private static final Set<String> NO_IOCTLS = Set.of("read", "write", "close", "pread", "pwrite", "mmap");

    private record FdType(Class<?> type, Class<?> constants, List<String> prefixes) {}

    @TempDir
    private Path folder;

    @TestFactory
    Stream<DynamicTest> shouldSendTheIoctlThatTheMethodIsNamedFor() {
        return TYPES.stream()
                .flatMap(type -> Arrays.stream(type.type.getDeclaredMethods())
                        .filter(FdTypesTest::isIoctl)
                        .map(method -> dynamicTest(
                                type.type.getSimpleName() + "." + method.getName() + parameters(method),
                                () -> sendsItsIoctl(type, method))));
    }

    @TestFactory
    Stream<DynamicTest> shouldNotCompileAnIoctlOnTheWrongFd() {
        // The three numbers that mean something else on another fd, both ways, and one of each type on a neighbour.
        return Stream.of(
                refused("new ContainerFd(libc, 3).feature(segment)", "new DeviceFd(libc, 3).feature(segment)"),
                refused("new DeviceFd(libc, 3).dirtyPages(segment)", "new ContainerFd(libc, 3).dirtyPages(segment)"),
                refused(
                        "new ContainerFd(libc, 3).getPciHotResetInfo(segment)",
                        "new DeviceFd(libc, 3).getPciHotResetInfo(segment)"),
                refused("new ContainerFd(libc, 3).pciHotReset(segment)", "new DeviceFd(libc, 3).pciHotReset(segment)"),
                refused("new DeviceFd(libc, 3).mapDma(segment)", "new ContainerFd(libc, 3).mapDma(segment)"),
                refused("new GroupFd(libc, 3).getInfo(segment)", "new DeviceFd(libc, 3).getInfo(segment)"),
                refused("new DeviceFd(libc, 3).getPrecopyInfo(segment)", "new DataFd(libc, 3).getPrecopyInfo(segment)"),
                refused("new IommuFd(libc, 3).mapDma(segment)", "new IommuFd(libc, 3).ioasMap(segment)"),
                refused("new KvmFd(libc, 3).getDirtyLog(segment)", "new VmFd(libc, 3).getDirtyLog(segment)"),
                refused("new VmFd(libc, 3).run()", "new VcpuFd(libc, 3).run()"),
                refused("new UserfaultFd(libc, 3).scan(segment)", "new PagemapFd(libc, 3).scan(segment)"));
    }

    @Test
    void shouldNotCompileOneFdInThePlaceOfAnother() {
        assertThat(compile("new GroupFd(libc, 3).setContainer(new ContainerFd(libc, 4))"))
                .isEmpty();
        assertThat(compile("new GroupFd(libc, 3).setContainer(new IommuFd(libc, 4))"))
                .isEmpty();
        assertThat(compile("new GroupFd(libc, 3).setContainer(new DeviceFd(libc, 4))"))
                .singleElement()
                .asString()
                .contains("no suitable method found for setContainer(io.vfio4j.ffm.vfio.DeviceFd)");
        assertThat(compile("new GroupFd(libc, 3).setContainer(4)"))
                .singleElement()
                .asString()
                .contains("no suitable method found for setContainer(int)");
    }

    private DynamicTest refused(String wrong, String right) {
        return dynamicTest(wrong, () -> {
            assertThat(compile(right)).as("the same on its own type").isEmpty();
            String method = wrong.substring(wrong.indexOf(").") + 2, wrong.lastIndexOf('('));
            assertThat(compile(wrong))
                    .singleElement()
                    .asString()
                    .startsWith("cannot find symbol")
                    .contains("symbol:   method " + method + "(");
        });
    }

    /** Compiles an expression: the errors. */
    private List<String> compile(String expression) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        assertThat(compiler).as("the compiler of this JDK").isNotNull();
        String source = """
                import io.vfio4j.ffm.*;
                import io.vfio4j.ffm.iommufd.*;
                import io.vfio4j.ffm.kvm.*;
                import io.vfio4j.ffm.mm.*;
                import io.vfio4j.ffm.vfio.*;
                import java.lang.foreign.MemorySegment;

                class Snippet {
                    int call(LibC libc, MemorySegment segment) {
                        return %s;
                    }
                }
                """.formatted(expression);
        JavaFileObject file =
                new SimpleJavaFileObject(URI.create("string:///Snippet.java"), JavaFileObject.Kind.SOURCE) {
                    @Override
                    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                        return source;
                    }
                };
        DiagnosticCollector<JavaFileObject> diagnostics = new DiagnosticCollector<>();
        List<String> options = List.of(
                "-proc:none",
                "-implicit:none",
                "-d",
                folder.toString(),
                "-classpath",
                System.getProperty("java.class.path"));
        boolean success = compiler.getTask(null, null, diagnostics, options, null, List.of(file))
                .call();
        List<String> errors = diagnostics.getDiagnostics().stream()
                .filter(diagnostic -> diagnostic.getKind() == Diagnostic.Kind.ERROR)
                .map(diagnostic -> diagnostic.getMessage(Locale.ROOT))
                .toList();
        assertThat(success).isEqualTo(errors.isEmpty());
        return errors;
    }

    private static boolean isIoctl(Method method) {
        return Modifier.isPublic(method.getModifiers())
                && !Modifier.isStatic(method.getModifiers())
                && !NO_IOCTLS.contains(method.getName())
                && !Set.of("equals", "hashCode", "toString", "fd", "libc").contains(method.getName());
    }

    private static void sendsItsIoctl(FdType type, Method method) throws Exception {
        List<Object[]> calls = new ArrayList<>();
        LibC libc = (LibC) Proxy.newProxyInstance(
                FdTypesTest.class.getClassLoader(), new Class<?>[] {LibC.class}, (proxy, called, arguments) -> {
                    assertThat(called.getName()).isEqualTo("ioctl");
                    calls.add(arguments);
                    return 5;
                });
        Object fd = type.type.getConstructor(LibC.class, int.class).newInstance(libc, FD);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(8);
            Object[] arguments = Arrays.stream(method.getParameterTypes())
                    .map(parameter -> argument(parameter, libc, segment))
                    .toArray();
            assertThat(method.invoke(fd, arguments)).isEqualTo(5);
            assertThat(calls).hasSize(1);
            assertThat(calls.getFirst()[0]).isEqualTo(FD);
            assertThat(expectedRequests(type, method.getName())).contains((long) calls.getFirst()[1]);
            if (List.of(method.getParameterTypes()).contains(MemorySegment.class)) {
                assertThat(calls.getFirst()[2]).isSameAs(segment);
            }
        }
    }

    private static Object argument(Class<?> parameter, LibC libc, MemorySegment segment) {
        if (parameter == MemorySegment.class) {
            return segment;
        }
        if (parameter == int.class) {
            return 9;
        }
        if (parameter == long.class) {
            return 9L;
        }
        if (parameter == String.class) {
            return "name";
        }
        return parameter == ContainerFd.class ? new ContainerFd(libc, 4) : new IommuFd(libc, 4);
    }

    private static List<Long> expectedRequests(FdType type, String method) throws IllegalAccessException {
        String name = method.replaceAll("([A-Z])", "_$1").toUpperCase(Locale.ROOT);
        List<Long> requests = new ArrayList<>();
        for (Field constant : type.constants.getFields()) {
            if (type.prefixes.stream().anyMatch(prefix -> constant.getName().equals(prefix + name))) {
                requests.add(((Number) constant.get(null)).longValue());
            }
        }
        assertThat(requests).as("an ioctl named for %s", method).hasSize(1);
        return requests;
    }

    private static String parameters(Method method) {
        return Arrays.stream(method.getParameterTypes())
                .map(Class::getSimpleName)
                .toList()
                .toString();
    }
}
