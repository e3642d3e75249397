// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.vfio4j.ffm.GoldenValues.GoldenField;
import io.vfio4j.ffm.GoldenValues.GoldenStruct;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Compares every struct and constant that the module binds with what the C compiler says. The classes are found by
 * looking, so that what is bound later cannot be forgotten here.
 */
class GoldenValuesTest {
    private static final GoldenValues GOLDEN =
            GoldenValues.read("/uapi-values.tsv", "/uapi-more-values.tsv", "/libc-values.tsv");

    @TestFactory
    Stream<DynamicTest> shouldLayOutStructAsTheCompilerDoes() throws Exception {
        return structs().values().stream().map(struct -> dynamicTest(struct.name(), () -> compare(struct)));
    }

    @TestFactory
    Stream<DynamicTest> shouldGiveConstantTheValueOfTheHeader() throws Exception {
        return constants().entrySet().stream()
                .map(constant -> dynamicTest(
                        constant.getKey(),
                        () -> assertThat(GOLDEN.values())
                                .as("the golden value of %s", constant.getKey())
                                .containsEntry(constant.getKey(), constant.getValue())));
    }

    @TestFactory
    Stream<DynamicTest> shouldGiveErrnoTheNumberOfTheHeader() {
        return Arrays.stream(Errno.values())
                .map(errno -> dynamicTest(
                        errno.name(),
                        () -> assertThat(GOLDEN.values()).containsEntry(errno.name(), (long) errno.number())));
    }

    @Test
    void shouldFindWhatIsBound() throws Exception {
        assertThat(structs()).containsKeys("vfio_device_feature_mig_state", "iommu_ioas_map", "iovec");
        assertThat(constants())
                .containsKeys("VFIO_DEVICE_FEATURE", "IOMMU_IOAS_ALLOC", "O_CLOEXEC", "SCM_RIGHTS", "F_DUPFD_CLOEXEC");
    }

    private static void compare(Struct struct) {
        GoldenStruct golden =
                requireNonNull(GOLDEN.structs().get(struct.name()), "no golden layout of " + struct.name());
        assertThat(struct.size()).as("sizeof").isEqualTo(golden.size());
        assertThat(struct.alignment()).as("_Alignof").isEqualTo(golden.alignment());
        assertThat(struct.fields().stream().map(Struct.Field::name))
                .as("the fields, in C order")
                .containsExactlyElementsOf(golden.fields().keySet());
        for (Struct.Field field : struct.fields()) {
            GoldenField goldenField = requireNonNull(golden.fields().get(field.name()), field.name());
            assertThat(field.offset()).as("offsetof %s", field.name()).isEqualTo(goldenField.offset());
            assertThat(field.size()).as("sizeof %s", field.name()).isEqualTo(goldenField.size());
            assertThat(cTypes(field)).as("the type of %s", field.name()).contains(goldenField.type());
        }
    }

    /** The C types that a kind of field may stand for: a pointer ("other") is bound as its 64 bits. */
    private static List<String> cTypes(Struct.Field field) {
        return switch (field) {
            case Struct.U8 ignored -> List.of("u8");
            case Struct.U16 ignored -> List.of("u16", "i16");
            case Struct.U32 ignored -> List.of("u32");
            case Struct.S32 ignored -> List.of("i32");
            case Struct.U64 ignored -> List.of("u64", "other");
            case Struct.Bytes ignored -> List.of("other", "flexible");
        };
    }

    private static Map<String, Struct> structs() throws Exception {
        Map<String, Struct> structs = new LinkedHashMap<>();
        for (Class<?> type : boundClasses()) {
            for (Field field : type.getDeclaredFields()) {
                if (field.getType() == Struct.class && Modifier.isStatic(field.getModifiers())) {
                    Struct struct = (Struct) field.get(null);
                    assertThat(structs.put(struct.name(), struct))
                            .as("a second class for %s", struct.name())
                            .isNull();
                }
            }
        }
        return structs;
    }

    /**
     * Every constant with a C name. What is public and no part of a struct has one; of the rest, those that the golden
     * files know by name.
     */
    private static Map<String, Long> constants() throws Exception {
        Map<String, Long> constants = new LinkedHashMap<>();
        for (Class<?> type : boundClasses()) {
            boolean mirrorsStruct = Arrays.stream(type.getDeclaredFields()).anyMatch(f -> f.getType() == Struct.class);
            for (Field field : type.getDeclaredFields()) {
                int modifiers = field.getModifiers();
                boolean number = field.getType() == int.class || field.getType() == long.class;
                if (!number || !Modifier.isStatic(modifiers) || !Modifier.isFinal(modifiers)) {
                    continue;
                }
                boolean named = Modifier.isPublic(modifiers) && !mirrorsStruct;
                if (named || GOLDEN.values().containsKey(field.getName())) {
                    field.setAccessible(true);
                    constants.put(field.getName(), ((Number) field.get(null)).longValue());
                }
            }
        }
        return constants;
    }

    private static List<Class<?>> boundClasses() throws IOException, URISyntaxException, ClassNotFoundException {
        Path root = Path.of(
                LibC.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        List<Class<?>> classes = new ArrayList<>();
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : (Iterable<Path>) files.sorted()::iterator) {
                String name = root.relativize(file).toString();
                if (name.endsWith(".class") && !name.endsWith("-info.class")) {
                    String binaryName =
                            name.substring(0, name.length() - ".class".length()).replace('/', '.');
                    classes.add(Class.forName(binaryName));
                }
            }
        }
        return classes;
    }
}
